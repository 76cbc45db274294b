"""A listener that other machines reach: for users only, and only outward."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox
from ports import unused_port
from raw_client import ask
from upstream_proxy import UpstreamProxy
from users_stage import ME, PASSWORDS, Stage, as_user, basic, user, users_stage
from wrong_server import WrongServer

INSIDE = [
    "127.0.0.1",
    "127.0.0.2",
    "localhost",
    "LOCALHOST.",
    "[::1]",
    "127.1",
    "0x7f.1",
    "2130706433",
    "0.0.0.0",
    "0",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fd00::1]",
    "[ff02::1]",
    "[fec0::1]",
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start everything, on every interface."""
    with users_stage(tmp_path_factory.mktemp("network"), "0.0.0.0") as stage:
        yield stage


@pytest.fixture(scope="module")
def inside(stage: Stage) -> Iterator[WrongServer]:
    """Start a service of this machine that nobody outside shall reach."""
    server = WrongServer(stage.place.root)
    yield server
    server.close()


def connect(port: int, target: str, name: str = "carol"):
    """Ask for a tunnel, and for something in it."""
    head = (
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        f"Proxy-Authorization: {basic(name)}\r\n\r\n"
    )
    request = f"GET / HTTP/1.1\r\nHost: {target}\r\nX-Mark: here\r\n\r\n"
    return ask(port, request.encode(), connect=head.encode())


def absolute(port: int, target: str):
    """Ask in absolute form."""
    request = (
        f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nX-Mark: here\r\n"
        f"Proxy-Authorization: {basic('carol')}\r\n\r\n"
    )
    return ask(port, request.encode())


@pytest.mark.parametrize("host", INSIDE)
@pytest.mark.parametrize("form", [connect, absolute], ids=lambda form: form.__name__)
def test_nobody_reaches_what_is_inside(stage: Stage, inside: WrongServer, form, host):
    """However it is spelt: 403 with a reason, or at least no connection."""
    before = len(inside.received())
    reply = form(stage.proxy.port, f"{host}:{inside.port}")
    assert reply.status in {400, 403, 502}, reply
    if reply.status == 403:
        assert reply.code == "destination_private"
    assert inside.received()[before:] == b""


@pytest.mark.parametrize("form", [connect, absolute], ids=lambda form: form.__name__)
def test_the_refusal_says_why(stage: Stage, inside: WrongServer, form):
    """A private address is refused in our words, with what the owner can do."""
    reply = form(stage.proxy.port, f"127.0.0.1:{inside.port}")
    assert (reply.status, reply.code) == (403, "destination_private")
    assert "connect_to" in json.loads(reply.body)["hint"]


@pytest.mark.parametrize("form", [connect, absolute], ids=lambda form: form.__name__)
def test_who_looks_for_what_is_inside_is_told_of_once(tmp_path: Path, form):
    """In the audit log and on the terminal: who, where, on which port, why not."""
    file = tmp_path / "audit.jsonl"
    with users_stage(tmp_path, "0.0.0.0", f'[audit]\nfile = "{file}"\n') as stage:
        places = [("10.0.0.1", 443), ("127.0.0.1", 22), ("169.254.169.254", 80)]
        places.append(("127.0.0.1", stage.reverse_port))
        for host, port in places:
            reply = form(stage.proxy.port, f"{host}:{port}")
            assert reply.code == "destination_private"
        stage.proxy.process.stop()
        output = stage.proxy.process.output
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(each["host"], each["port"]) for each in lines] == places
    for each in lines:
        assert (each["event"], each["code"]) == ("request", "destination_private")
        assert (each["client"], each["user"]) == ("127.0.0.1", "carol")
        assert "not on the internet" in each["reason"]
    assert output.count("destination_private") == len(places)


def test_the_machine_is_not_reached_by_its_own_address(
    stage: Stage, inside: WrongServer
):
    """Nor a port of ours there."""
    own = _own_address()
    if own is None:
        pytest.skip("this machine has no address but loopback's")
    for port in (inside.port, stage.proxy.port, stage.reverse_port):
        for form in (connect, absolute):
            assert form(stage.proxy.port, f"{own}:{port}").status in {403, 502}
    assert b"x-mark" not in inside.received().lower()


def test_clients_of_other_machines_are_served(stage: Stage):
    """By an address that is not loopback's, where `connect_to` leads to the sandbox."""
    own = _own_address() or "127.0.0.1"
    stage.sandbox.forget()
    words = ("-x", f"http://{own}:{stage.proxy.port}", *as_user("alice"))
    assert stage.ask(*words).status == 200
    assert stage.ask(*words[:2]).status == 407


def test_a_reverse_listener_serves_other_machines(stage: Stage):
    """Addressed by its own address, and for users only."""
    own = _own_address() or "127.0.0.1"
    head = f"GET /2.0/users/me HTTP/1.1\r\nHost: {own}:{stage.reverse_port}\r\n"
    field = f"Everbearer-Authorization: {basic('bob')}\r\n"
    assert _ask_at(own, stage.reverse_port, f"{head}\r\n") == 401
    assert _ask_at(own, stage.reverse_port, f"{head}{field}\r\n") == 200


def test_on_loopback_users_reach_what_is_inside(place: Place, sandbox: Sandbox):
    """Who is on this machine reaches that anyway."""
    server = WrongServer(place.root)
    config = sandbox.config("loopback", user("carol", PASSWORDS["carol"]))
    proxy = Proxy(place, config)
    assert connect(proxy.port, f"127.0.0.1:{server.port}").code == "wrong"
    server.close()


def test_another_proxy_is_no_way_in(place: Place, sandbox: Sandbox):
    """It looks names up itself: beyond this machine, ruled hosts alone go by it."""
    upstream = UpstreamProxy({"api.box.com:443": ("127.0.0.1", sandbox.port)})
    port, name = unused_port(), "client_credentials"
    head = sandbox.config("upstream", source=name).read_text()
    config = sandbox.state / "upstream.toml"
    config.write_text(
        head.partition("[network.connect_to]")[0].replace(
            "[network]",
            f'[network]\nupstream_proxy = "http://127.0.0.1:{upstream.port}"',
        )
        + f'\n[[listeners]]\naddress = "0.0.0.0:{port}"\n'
        + user("carol", PASSWORDS["carol"])
    )
    proxy = Proxy(place, config, listen="", listening="0.0.0.0")
    assert proxy.curl(*as_user("carol"), ME).status == 200
    for host in ("example.com:80", f"127.0.0.1:{upstream.port}", "localhost:80"):
        for form in (connect, absolute):
            reply = form(proxy.port, host)
            assert (reply.status, reply.code) == (403, "destination_unchecked")
    assert set(upstream.connected) == {"api.box.com:443"}
    upstream.close()


def test_without_users_nobody_listens_there(place: Place, sandbox: Sandbox):
    """A configuration error that says how to make a user."""
    config = sandbox.config("open", '\n[[listeners]]\naddress = "0.0.0.0:8080"\n')
    done = place.everbearer("serve", "-c", str(config))
    assert done.returncode == 2
    assert "everbearer user NAME" in done.stderr
    done = place.everbearer(
        "serve", "-c", str(sandbox.state / "all.toml"), "--listen", "0.0.0.0:0"
    )
    assert done.returncode == 2
    assert "everbearer user NAME" in done.stderr


def test_users_who_guard_a_listener_cannot_all_be_removed(stage: Stage):
    """A reload that would leave the listener open is refused."""
    text = stage.config.read_text()
    stage.config.write_text(text.partition("[[proxy.users]]")[0])
    stage.proxy.process.wait_for("the old configuration stays in force")
    assert stage.ask().status == 407
    stage.config.write_text(text)
    stage.proxy.process.wait_for("users.toml is in force")


def test_a_stranger_who_waits_is_not_served_after_a_reload(tmp_path: Path):
    """Users cannot be taken out with their listeners either: that takes a restart."""
    host = _own_address() or "127.0.0.1"
    with users_stage(tmp_path, "0.0.0.0") as stage:
        ports = (stage.proxy.port, stage.reverse_port)
        waiting = [socket.create_connection((host, port), 30) for port in ports]
        assert stage.ask(*as_user("carol")).status == 200
        head = stage.config.read_text().partition("[[proxy.users]]")[0]
        stage.config.write_text(head.replace("0.0.0.0", "127.0.0.1"))
        stage.proxy.process.wait_for("the old configuration stays in force")
        assert "takes other listeners at a restart" in stage.proxy.process.output
        connect = "CONNECT api.box.com:443 HTTP/1.1\r\nHost: api.box.com:443\r\n\r\n"
        get = f"GET /2.0/users/me HTTP/1.1\r\nHost: 127.0.0.1:{ports[1]}\r\n\r\n"
        told = [_ask_by(*each) for each in zip(waiting, (connect, get), strict=True)]
        assert told == [407, 401]
        assert stage.ask(*as_user("carol")).status == 200


def _own_address() -> str | None:
    """Return an address of this machine that is not loopback's, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def _ask_at(host: str, port: int, request: str) -> int:
    return _ask_by(socket.create_connection((host, port), timeout=30), request)


def _ask_by(connection: socket.socket, request: str) -> int:
    with connection as channel:
        channel.sendall(request.encode())
        return int(channel.recv(4096).split()[1])
