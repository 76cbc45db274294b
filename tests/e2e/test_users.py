"""Proxy users: who is let in, and by which profile he is served."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness import Answer, Place, Proxy, Sandbox, Stock, curl
from raw_client import connected, read
from tunnel import Tunnel
from users_stage import (
    LOGINS,
    ME,
    PASSWORDS,
    PROFILES,
    Stage,
    as_user,
    basic,
    user,
    users_stage,
)
from wrong_server import WrongServer

OTHERS = [(), as_user("alice", "wrong"), as_user("eve", "x" * 20), as_user("bob", " ")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start everything."""
    with users_stage(tmp_path_factory.mktemp("users")) as stage:
        yield stage


@pytest.fixture
def own(tmp_path) -> Iterator[Stage]:
    """Start all of it anew, for a test that changes the users."""
    with users_stage(tmp_path) as stage:
        yield stage


def check_challenged(answer: Answer) -> None:
    """Check a 407 as RFC 9110 §15.5.8 and RFC 9457 have it."""
    assert answer.status == 407
    assert answer.fields["proxy-authenticate"].startswith('Basic realm="everbearer"')
    assert answer.fields["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", PASSWORDS)
def test_each_user_is_served_with_his_profile(stage: Stage, name: str):
    """Each has his own profile; who has none has the default."""
    for ask, words in (
        (stage.ask, as_user(name)),
        (stage.ask_reverse, ("-H", f"Everbearer-Authorization: {basic(name)}")),
    ):
        answer = ask(*words)
        assert (answer.status, answer.json["login"]) == (200, LOGINS[name])
    stage.proxy.process.wait_for(rf"users/me 200 \w+ for {name} missing")


@pytest.mark.parametrize("given", OTHERS)
def test_nobody_else_opens_a_tunnel(stage: Stage, given: tuple[str, ...]):
    """No password, a wrong one, an unknown name: 407, and nothing is connected."""
    check_challenged(stage.ask(*given))
    check_challenged(stage.ask(*given, url="https://unmatched.test/"))
    assert stage.sandbox.requests() == []


@pytest.mark.parametrize("given", OTHERS)
def test_nobody_else_asks_in_absolute_form(stage: Stage, given: tuple[str, ...]):
    """A request without a tunnel is asked who sent it as well, and is told why not."""
    answer = stage.ask(*given, url="http://127.0.0.1:1/")
    check_challenged(answer)
    assert answer.json["code"] in {"user_required", "user_wrong"}
    assert answer.json["hint"]


def test_a_user_asks_in_absolute_form(stage: Stage):
    """His request is judged as any: Box is never asked in clear."""
    answer = stage.ask(*as_user("alice"), url="http://api.box.com/2.0/users/me")
    assert answer.json["code"] == "insecure_scheme"


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("-u", f"alice:{PASSWORDS['alice']}"),
        ("-H", f"Proxy-Authorization: {basic('alice')}"),
        ("-H", f"Everbearer-Authorization: {basic('alice', 'wrong')}"),
    ],
)
def test_a_reverse_listener_asks_by_its_own_field(stage: Stage, given):
    """Neither Authorization, the server's, nor the proxy's field lets anybody in."""
    answer = stage.ask_reverse(*given)
    assert answer.status == 401
    assert answer.fields["content-type"] == "application/problem+json"
    # Tools that know a challenge of the server's must not take this one for it.
    assert answer.fields["www-authenticate"].startswith("Everbearer ")
    assert stage.sandbox.requests() == []


def test_a_tool_that_waits_for_the_challenge_gets_in(stage: Stage):
    """407 first, then the password, on the same connection."""
    answer = stage.ask("--proxy-anyauth", *as_user("bob"))
    assert answer.json["login"] == LOGINS["bob"]


def test_a_tool_may_speak_tls_to_the_proxy(stage: Stage):
    """The password then goes in clear nowhere."""
    answer = curl(
        *("-x", f"https://127.0.0.1:{stage.proxy.port}"),
        *("--proxy-cacert", str(stage.proxy.ca), "--cacert", str(stage.proxy.ca)),
        *as_user("alice"),
        ME,
    )
    assert answer.json["login"] == LOGINS["alice"]


@pytest.mark.parametrize(
    ("name", "asked", "code"),
    [
        ("alice", "ccg", "profile_not_of_user"),
        ("bob", "dev", "profile_not_of_user"),
        ("carol", "nobody", "profile_unknown"),
    ],
)
def test_a_user_gets_no_other_profile(stage: Stage, name: str, asked: str, code: str):
    """What the field asks for is held against what the user may use."""
    answer = stage.ask(*as_user(name), "-H", f"Everbearer-Profile: {asked}")
    assert answer.json["code"] == code
    assert stage.sandbox.requests(path="/2.0/users/me") == []


def test_a_user_chooses_among_his_own(stage: Stage):
    """Who may use all asks for one."""
    answer = stage.ask(*as_user("carol"), "-H", "Everbearer-Profile: ccg")
    assert answer.json["login"] == LOGINS["bob"]


def test_a_user_who_is_gone_is_gone_in_open_tunnels(own: Stage):
    """Removed, or given another password: the next request is refused."""
    with (
        Tunnel(own.proxy, user=basic("alice")) as a,
        Tunnel(own.proxy, user=basic("bob")) as b,
        Tunnel(own.proxy, user=basic("carol")) as c,
    ):
        for tunnel in (a, b, c):
            assert tunnel.ask("GET", "/2.0/users/me").status == 200
        own.write_users(
            user("bob", "another password of bob", PROFILES["bob"])
            + user("carol", PASSWORDS["carol"], "ccg")
        )
        own.sandbox.forget()
        for tunnel in (a, b):
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                tunnel.ask("GET", "/2.0/users/me")
        # Hashed anew, with another salt: it is another hash, and asked for again.
        assert own.sandbox.requests(path="/2.0/users/me") == []
        assert own.ask(*as_user("carol")).json["login"] == LOGINS["bob"]
    assert own.ask(*as_user("alice")).status == 407
    assert own.ask(*as_user("bob")).status == 407
    answer = own.ask(*as_user("bob", "another password of bob"))
    assert answer.json["login"] == LOGINS["bob"]


def test_a_changed_profile_holds_in_open_tunnels(own: Stage):
    """The same password, other profiles: the tunnel stays, and gets those."""
    text = own.config.read_text()
    with Tunnel(own.proxy, user=basic("alice")) as tunnel:
        assert tunnel.ask("GET", "/2.0/users/me").json["login"] == LOGINS["alice"]
        own.write_users(
            "[[proxy.users]]"
            + text.partition("[[proxy.users]]")[2].replace(
                'profiles = ["jwt"]', 'profiles = ["ccg"]'
            )
        )
        assert tunnel.ask("GET", "/2.0/users/me").json["login"] == LOGINS["bob"]


def test_an_opaque_tunnel_of_who_is_gone_is_cut(own: Stage):
    """Nobody sees requests in there, so it ends with the reload; others' stay."""
    server = WrongServer(own.place.root)
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        tunnels = {}
        for name in ("alice", "carol"):
            target = f"127.0.0.1:{server.port}"
            head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
            field = f"Proxy-Authorization: {basic(name)}\r\n\r\n"
            channel = stack.enter_context(
                connected(own.proxy.port, connect=(head + field).encode())
            )
            assert isinstance(channel, socket.socket)
            channel.sendall(ask)
            assert read(channel, ask).status == 200
            tunnels[name] = channel
        text = own.config.read_text()
        carol = text.rpartition("[[proxy.users]]")[2]
        own.write_users(f"[[proxy.users]]{carol}")
        assert tunnels["alice"].recv(1) == b""
        tunnels["carol"].sendall(ask)
        assert read(tunnels["carol"], ask).status == 200
    server.close()


def test_users_who_come_later_are_asked_for_in_open_tunnels(
    place: Place, sandbox: Sandbox
):
    """A tunnel from before there were users is nobody's."""
    config = sandbox.config("none")
    proxy = Proxy(place, config)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", "/2.0/users/me").status == 200
        config.write_text(config.read_text() + user("alice", PASSWORDS["alice"]))
        proxy.process.wait_for("is in force")
        sandbox.forget()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            tunnel.ask("GET", "/2.0/users/me")
    assert sandbox.requests(path="/2.0/users/me") == []


def test_users_hold_in_stock_mitmproxy(place: Place, sandbox: Sandbox):
    """`mitmdump -s addon/inject.py` lets the same people in."""
    config = sandbox.config("stock", user("alice", PASSWORDS["alice"], "jwt"))
    stock = Stock(place, config).ready()
    assert stock.curl(ME).status == 407
    assert stock.curl(*as_user("alice", "wrong"), ME).status == 407
    assert stock.curl(*as_user("alice"), ME).json["login"] == LOGINS["alice"]
