"""A token goes nowhere else: hostile requests through real proxies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness import Place, Proxy, Sandbox, Stock, curl
from hostile_requests import ROWS
from hostile_row import API, ME, Row, request
from hostile_stage import Stage, configuration, staged
from ports import unused_port
from raw_client import ask
from wrong_server import WrongServer

FORBIDDEN = {
    "ssl_insecure": "true",
    "map_remote": "|//api.box.com/|http://evil.test/",
    "map_local": "|//api.box.com/|/etc",
    "modify_headers": "/~q/Host/evil.test",
    "modify_body": "/~q/a/b",
    "stickyauth": ".*",
    "ignore_hosts": r"^api\.box\.com",
    "allow_hosts": r"^api\.box\.com:443$",
    "tcp_hosts": r"box\.com",
}
"""What may not be set when everbearer starts."""


def rows(*, leaking: bool = False) -> list[object]:
    """Return the table for pytest, by name."""
    return [pytest.param(row, id=row.name) for row in ROWS if row.leaks or not leaking]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start `everbearer serve` with a script that moves requests."""
    with staged(tmp_path_factory.mktemp("guarded"), "moving_script.py") as stage:
        yield stage
        assert not stage.betrayed()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start the stock mitmdump with everbearer before that script."""
    root = tmp_path_factory.mktemp("stock")
    with staged(root, "moving_script.py", stock=True) as stage:
        yield stage
        assert not stage.betrayed()


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start `everbearer serve` and take its checks out."""
    root = tmp_path_factory.mktemp("unchecked")
    with staged(root, "moving_script.py", "no_checks.py") as stage:
        yield stage


@pytest.mark.parametrize("row", rows())
def test_hostile_request_gets_no_token_elsewhere(guarded: Stage, row: Row):
    """The token stays where it belongs, and the client is told what was wrong."""
    outcome = guarded.play(row)

    assert not outcome.betrayed
    assert outcome.arrived == row.token
    assert outcome.answer == row.answer


@pytest.mark.parametrize("row", rows())
def test_hostile_request_gets_no_token_elsewhere_in_stock_mitmproxy(
    stock: Stage, row: Row
):
    """The same holds inside a stock mitmproxy, with a script behind everbearer."""
    outcome = stock.play(row)

    assert not outcome.betrayed
    assert outcome.arrived == row.token
    assert outcome.answer == (row.stock or row.answer)


@pytest.mark.parametrize("row", rows(leaking=True))
def test_the_same_request_leaks_without_the_checks(unchecked: Stage, row: Row):
    """Each row that says so can fail: with the checks out its token is lost."""
    outcome = unchecked.play(row)

    assert outcome.betrayed or outcome.arrived > row.token, outcome


def test_table_is_long_enough():
    """The table holds what it must, and most of it is proven to be able to fail."""
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) >= 130
    assert sum(row.leaks for row in ROWS) >= 90


def test_ordinary_request_arrives_with_the_token(guarded: Stage):
    """What is looked for is really there: an honest request has a token."""
    guarded.sandbox.forget()
    connect = request(f"{API}:443", f"{API}:443", method="CONNECT").encode()

    reply = ask(guarded.proxy.port, request().encode(), connect=connect, sni=API)

    assert reply.status == 200
    [label] = [
        entry["token_label"]
        for entry in guarded.sandbox.requests(host=API, path=ME)
        if entry["authorization_count"] == 1
    ]
    tokens = guarded.sandbox.call("GET", "tokens")
    assert label in [token["label"] for token in tokens]


@pytest.mark.parametrize(
    ("location", "answer"),
    [
        ("https://evil.test/2.0/users/me", 200),
        ("https://api.box.com.evil.test/2.0/users/me", 200),
        ("http://evil.test/2.0/users/me", 200),
        ("http://api.box.com/2.0/users/me", 403),
        ("https://api.box.com:8443/2.0/users/me", 421),
        ("https://api.box.com@evil.test/2.0/users/me", 200),
        ("https://203.0.113.7/2.0/users/me", 200),
    ],
)
def test_redirect_takes_no_token_along(guarded: Stage, location: str, answer: int):
    """A client that follows a redirect of Box's to elsewhere arrives there bare."""
    stage = guarded
    stage.sandbox.forget()
    before = len(stage.wrong.received())
    stage.sandbox.fault(
        {"status": 302, "body": "", "fields": {"Location": location}},
        path="/2.0/files/1/content",
        times=1,
    )

    # -k: both the proxy's and the wrong server's certificates are met.
    got = curl(
        *("-k", "-L", "-x", f"http://127.0.0.1:{stage.proxy.port}"),
        f"https://{API}/2.0/files/1/content",
    )

    assert got.status == answer, got
    assert stage.arrived() == 1
    assert not stage.betrayed(before)
    if answer == 200:
        assert b"GET /2.0/users/me" in stage.wrong.received()[before:]


@pytest.mark.parametrize("program", ["everbearer", "mitmdump"])
def test_options_that_move_requests_stop_the_start(
    place: Place, sandbox: Sandbox, program: str
):
    """Each option that could send a token elsewhere is named, and nothing starts."""
    config = sandbox.state / "client_credentials.toml"
    options = [
        word
        for name, value in FORBIDDEN.items()
        for word in ("--set", f"{name}={value}")
    ]
    if program == "everbearer":
        serve = ("serve", "-c", str(config), "--listen", "127.0.0.1:0", "--")
        done = place.everbearer(*serve, *options)
        code, told = done.returncode, done.stderr
        assert code == 2
    else:
        stock = Stock(place, config, *options)
        code = stock.process.child.wait(40)
        stock.process.stop()
        told = stock.process.output
        assert code == 1
    missing = [name for name in FORBIDDEN if name not in told]
    assert not missing, told


def test_no_client_reaches_the_control_port(tmp_path_factory: pytest.TempPathFactory):
    """The port of mitmweb cannot be asked through the proxy, by whatever name."""
    place = Place(tmp_path_factory.mktemp("web"))
    with ExitStack() as stack:
        stack.callback(place.close)
        sandbox, port = Sandbox(place), unused_port()
        wrong = WrongServer(place.root)
        stack.callback(wrong.close)
        config = configuration(sandbox, wrong, unused_port())
        web = (
            *("--set", "web_open_browser=false"),
            *("--set", f"web_port={port}"),
        )
        proxy = Proxy(place, config, "--ui", "web", mitmproxy=web)

        straight = curl(f"http://127.0.0.1:{port}/")
        absolute = [
            curl("-x", proxy.url, f"http://{host}:{port}/")
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]")
        ]
        tunnelled = curl("-x", proxy.url, "-p", f"http://127.0.0.1:{port}/")

    assert straight.status != 0
    for answer in (*absolute, tunnelled):
        assert b"mitmproxy" not in answer.body.lower(), answer
        assert answer.status in {0, 500, 502}, answer
