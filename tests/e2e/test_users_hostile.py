"""What hostile clients say of themselves, and where the password may be found."""

from __future__ import annotations

import base64
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary import Canaries, forms, written
from harness import Place, Proxy, Sandbox, curl
from hostile_stage import configuration
from ports import unused_port
from raw_client import ask
from tunnel import Tunnel
from users_stage import ME, PASSWORDS, Stage, as_user, basic, user, users_stage
from wrong_server import WrongServer

ALICE = basic("alice")
BACKUP = Path(__file__).with_name("early_backup_script.py")


def encoded(raw: bytes) -> str:
    """Return Basic credentials of any bytes."""
    return "Basic " + base64.b64encode(raw).decode()


HOSTILE = {
    "twice": f"{ALICE}\r\nProxy-Authorization: {ALICE}",
    "twice, another": f"{ALICE}\r\nProxy-Authorization: {basic('bob')}",
    "two in one": f"{ALICE}, {ALICE}",
    "folded": f"{ALICE[:12]}\r\n {ALICE[12:]}",
    "no base64": "Basic ****",
    "cut base64": ALICE[:-3],
    "inner padding": f"{ALICE}=={ALICE[6:]}",
    "no colon": encoded(b"alice"),
    "no password": encoded(b"alice:"),
    "no name": encoded(f":{PASSWORDS['alice']}".encode()),
    "huge": encoded(b"alice:" + b"x" * 60_000),
    "NUL in the name": encoded(f"alice\0:{PASSWORDS['alice']}".encode()),
    "NUL in the password": encoded(f"alice:{PASSWORDS['alice']}\0".encode()),
    "more behind a NUL": encoded(f"alice:{PASSWORDS['alice']}\0x".encode()),
    "another case": encoded(f"Alice:{PASSWORDS['alice']}".encode()),
    "a space": encoded(f"alice :{PASSWORDS['alice']}".encode()),
    "not ASCII": encoded(f"älice:{PASSWORDS['alice']}".encode()),
    "look-alike": encoded(f"\uff41lice:{PASSWORDS['alice']}".encode()),
    "no UTF-8": encoded(b"alice:\xff\xfe"),
    "raw bytes": "Basic \xe9\xe8",
    "url-safe": "Basic " + base64.urlsafe_b64encode("bob:ÿþ?>".encode()).decode(),
    "Bearer": ALICE.replace("Basic", "Bearer"),
    "Digest": 'Digest username="alice"',
    "the hash": encoded(b"alice:$argon2id$v=19$m=65536,t=3,p=4"),
    "no scheme": ALICE[6:],
    "empty": "",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start everything."""
    with users_stage(tmp_path_factory.mktemp("hostile")) as stage:
        yield stage


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", ["CONNECT", "absolute form", "reverse"])
def test_what_is_not_one_users_credentials_lets_nobody_in(
    stage: Stage, kind: str, value: str
):
    """Refused or cut off in time, and nothing is sent anywhere."""
    stage.sandbox.forget()
    name = "Everbearer-Authorization" if kind == "reverse" else "Proxy-Authorization"
    value = value.replace("Proxy-Authorization", name)
    target, host, port = "api.box.com:443", "api.box.com:443", stage.proxy.port
    if kind == "absolute form":
        target, host = "http://127.0.0.1:1/", "127.0.0.1:1"
    elif kind == "reverse":
        port = stage.reverse_port
        target, host = "/2.0/users/me", f"127.0.0.1:{port}"
    method = "CONNECT" if kind == "CONNECT" else "GET"
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\n\r\n"

    reply = ask(port, head.encode("latin-1"))

    wanted = 401 if kind == "reverse" else 407
    assert reply.status in {wanted, 400, 0}, reply
    assert stage.sandbox.requests() == []


def test_the_proxy_still_serves_its_users(stage: Stage):
    """None of that has broken anything."""
    assert stage.ask(*as_user("alice")).status == 200


def test_a_flood_of_wrong_passwords_does_not_shut_users_out(stage: Stage):
    """Who was let in before is let in while others guess; others wait their turn."""
    assert stage.ask(*as_user("alice")).status == 200
    peak, over = stage.proxy.process.rss(), threading.Event()
    statuses: set[int] = set()

    def guess(number: int) -> None:
        while not over.is_set():
            wrong = basic("carol", f"a wrong password {number}")
            head = "CONNECT api.box.com:443 HTTP/1.1\r\nHost: api.box.com:443\r\n"
            field = f"Proxy-Authorization: {wrong}\r\n\r\n"
            statuses.add(ask(stage.proxy.port, (head + field).encode()).status)

    guessing = [threading.Thread(target=guess, args=(n,)) for n in range(20)]
    for each in guessing:
        each.start()
    try:
        for _ in range(3):
            assert stage.ask(*as_user("alice")).status == 200
        assert stage.ask(*as_user("bob")).status == 200  # not remembered yet
    finally:
        over.set()
        for each in guessing:
            each.join()
    assert statuses <= {407, 503}
    assert 407 in statuses
    # Two hashes at a time, 64 MiB each, not twenty.
    assert stage.proxy.process.peak() - peak < 400 * 1024 * 1024


def test_the_fields_never_reach_a_server(place: Place, sandbox: Sandbox):
    """At the door, in the tunnel, at a reverse listener, for any host we read."""
    server, reverse = WrongServer(place.root), unused_port()
    more = '[proxy]\nunmatched_hosts = "inspect"\n'
    config = configuration(sandbox, server, reverse, more, source="developer_token")
    head, _, rest = config.read_text().partition("[network.connect_to]\n")
    _, _, rest = rest.partition("\n[[listeners]]")
    names = ("api.box.com:443", "evil.test:443", "evil.test:80")
    leads = "".join(f'"{name}" = "127.0.0.1:{server.port}"\n' for name in names)
    users = user("alice", PASSWORDS["alice"])
    config.write_text(
        f"{head}[network.connect_to]\n{leads}\n[[listeners]]{rest}\n{users}"
    )
    proxy = Proxy(place, config)
    fields = ("-H", "X-Mark: here")
    for name in ("Proxy-Authorization", "proxy-authorization"):
        fields += ("-H", f"{name}: {ALICE}")
    for name in ("Everbearer-Authorization", "EVERBEARER-AUTHORIZATION"):
        fields += ("-H", f"{name}: {ALICE}")

    # curl sends what -H says of the proxy's field to servers as well.
    for url in (ME, "https://evil.test/", "https://api.box.com/oauth2/token"):
        assert proxy.curl(*as_user("alice"), *fields, url).status == 200
    assert proxy.curl(*as_user("alice"), "-H", "X-Mark: here", "http://evil.test/")
    once = ("-H", "X-Mark: here", "-H", f"Everbearer-Authorization: {ALICE}")
    url = f"http://127.0.0.1:{reverse}/2.0/users/me"
    assert curl(*once, "-H", f"Proxy-Authorization: {ALICE}", url).status == 200

    received = server.received().lower()
    server.close()
    assert received.count(b"x-mark: here") == 5
    assert b"everbearer" not in received
    assert b"proxy-auth" not in received
    assert ALICE[6:].encode().lower() not in received


def test_no_password_is_written(tmp_path: Path):
    """Right, wrong, as a name, for refused and broken requests: nothing keeps it."""
    place = Place(tmp_path)
    try:
        _write_everything(place)
    finally:
        place.close()


def _write_everything(place: Place) -> None:
    sandbox, reverse = Sandbox(place), unused_port()
    flows, har = place.root / "saved.flows", place.root / "saved.har"
    listeners = (
        '[[listeners]]\naddress = "127.0.0.1:8080"\n'
        f'[[listeners]]\naddress = "127.0.0.1:{reverse}"\n'
        'reverse = "https://api.box.com"\n'
    )
    config = sandbox.config(
        "users", listeners + user("alice", PASSWORDS["alice"], "dev")
    )
    proxy = Proxy(
        place,
        config,
        "-vv",
        mitmproxy=(
            *("-s", str(BACKUP)),
            *("-w", str(flows), "--set", f"hardump={har}", "--set", "flow_detail=4"),
        ),
    )
    wrong = "a-wrong-password-of-alice-0123456789"
    typed = "password-typed-as-a-name-0123456789"
    for words in (
        as_user("alice"),
        as_user("alice", wrong),
        as_user(typed, "x"),
        (*as_user("alice"), "-H", "Everbearer-Profile: nobody"),
        (*as_user("alice"), "-H", f"Proxy-Authorization: {ALICE}"),
    ):
        for url in (ME, "http://api.box.com/2.0/users/me", "http://127.0.0.1:1/"):
            proxy.curl(*words, url)
    for value in (ALICE, basic("alice", wrong), basic(typed, "x")):
        field = ("-H", f"Everbearer-Authorization: {value}")
        curl(*field, f"http://127.0.0.1:{reverse}/2.0/users/me")
        # A request that mitmproxy itself finds invalid is saved as well.
        for broken in ("Content-Length: 1\r\nContent-Length: 2", "X y: z", "Host: b"):
            head = (
                "GET http://api.box.com/ HTTP/1.1\r\nHost: api.box.com\r\n"
                f"Proxy-Authorization: {value}\r\n{broken}\r\n\r\n"
            )
            ask(proxy.port, head.encode())
    held = sandbox.hold(path="/2.0/folders/0")
    with Tunnel(proxy, user=ALICE) as tunnel:
        tunnel.begin("GET", "/2.0/folders/0", Proxy_Authorization=ALICE)
        sandbox.wait(path="/2.0/folders/0")
        proxy.process.stop(signal.SIGINT)  # with a request under way
    sandbox.release(held)

    needles = {
        "password": PASSWORDS["alice"],
        "wrong": wrong,
        "typed as a name": typed,
        "pair": f"alice:{PASSWORDS['alice']}",
    }
    found = Canaries(sandbox, needles).in_files(written(place))
    ours = {
        path: [name for name in names if name.split(" (")[0] in needles]
        for path, names in found.items()
    }
    assert {path: names for path, names in ours.items() if names} == {}
    output = proxy.process.output.encode()
    for secret in needles.values():
        assert not any(form in output for _, form in forms(secret))
    assert flows.read_bytes().count(b"api.box.com") > 3
    assert b'"alice"' in config.read_bytes()
