"""Clients that leave and a proxy that stops take nothing from anybody."""

from __future__ import annotations

import signal
from concurrent.futures import Future
from pathlib import Path

import pytest

from harness import Answer, Place, Proxy, Sandbox, Stock
from tunnel import Crowd, Tunnel, crowd

SCRIPT = Path(__file__).with_name("watching_script.py")
WATCHING = ("-s", str(SCRIPT))
ME = "/2.0/users/me"
TOKEN = "/oauth2/token"
GRANTS = ["refresh_token", "jwt_bearer", "client_credentials"]
PATIENCE = 40
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def leave_five_waiting(
    proxy: Proxy, many: Crowd, leaving: Tunnel
) -> list[Future[Answer]]:
    """Let five ask for what *leaving* waits for, and then it go away."""
    staying = [many.send("GET", f"{ME}?staying={n}") for n in range(5)]
    for n in range(5):
        proxy.process.wait_for(rf"watching: asked {ME}\?staying={n}$")
    port = leaving.port
    leaving.close()
    proxy.process.wait_for(rf"watching: left {port}$")
    return staying


@pytest.mark.parametrize("grant", GRANTS)
def test_client_that_leaves_cancels_nothing_for_others(
    place: Place, sandbox: Sandbox, grant: str
):
    """The request that began a renewal is gone: the others get its token."""
    proxy = Proxy(place, sandbox.state / f"{grant}.toml", mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    with crowd(proxy) as many, Tunnel(proxy) as leaving:
        leaving.begin("GET", f"{ME}?leaving=")
        sandbox.wait(1, path=TOKEN)
        staying = leave_five_waiting(proxy, many, leaving)
        sandbox.release(held)

        assert [answer.result().status for answer in staying] == [200] * 5

    assert len(sandbox.token_requests()) == 1
    queries = {entry["query"] for entry in sandbox.requests(path=ME)}
    assert queries == {f"staying={n}" for n in range(5)}


def test_client_that_leaves_during_a_recovery_cancels_nothing_for_others(
    place: Place, sandbox: Sandbox
):
    """The request whose 401 began a renewal is gone: the others are replayed."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml", mitmproxy=WATCHING)
    with crowd(proxy) as many, Tunnel(proxy) as leaving:
        assert leaving.ask("GET", ME).status == 200
        sandbox.revoke()
        held = sandbox.hold(path=TOKEN)
        leaving.begin("GET", f"{ME}?leaving=")
        sandbox.wait(2, path=TOKEN)
        staying = leave_five_waiting(proxy, many, leaving)
        sandbox.release(held)

        assert [answer.result().status for answer in staying] == [200] * 5

    assert len(sandbox.token_requests()) == 2


@pytest.mark.parametrize(
    ("grant", "how"),
    [*((grant, signal.SIGTERM) for grant in GRANTS), (GRANTS[0], signal.SIGINT)],
)
def test_stopping_during_a_renewal_waits_for_the_save(
    place: Place, sandbox: Sandbox, grant: str, how: signal.Signals
):
    """What the token endpoint gave while the proxy stopped is there at its start."""
    config = sandbox.state / f"{grant}.toml"
    proxy = Proxy(place, config, mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    with crowd(proxy) as many:
        waiting = many.send("GET", ME)
        sandbox.wait(1, path=TOKEN)
        proxy.process.child.send_signal(how)
        proxy.process.wait_for("watching: stopping")
        profile = proxy.process.wait_for("as the new token of ([a-z]+) is saved")[1]
        assert profile in {"dev", "jwt", "ccg"}
        assert sandbox.token_requests()[0]["held"]
        sandbox.release(held)
        assert proxy.process.child.wait(PATIENCE) == 0
        many.close()
        # Answered, refused or cut off: but never sent without a token.
        assert waiting.exception() or waiting.result().status in {200, 502, 503}
    assert all(e["authorization_count"] == 1 for e in sandbox.requests(path=ME))
    [redeem] = sandbox.token_requests()
    assert redeem["status"] == 200
    assert "Traceback" not in proxy.process.output

    again = Proxy(place, config)
    with Tunnel(again) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    assert len(sandbox.token_requests()) == 1


def test_stopping_waits_for_what_a_reload_replaced(place: Place, sandbox: Sandbox):
    """A profile gets another name during its redeem: the stop after loses nothing."""
    config = sandbox.state / "refresh_token.toml"
    proxy = Proxy(place, config)
    held = sandbox.hold(path=TOKEN)
    with crowd(proxy) as many:
        many.send("GET", ME)
        sandbox.wait(1, path=TOKEN)
        text = config.read_text()
        config.write_text(text.replace("[profiles.dev]", "[profiles.mine]"))
        proxy.process.wait_for("is in force")

        proxy.process.child.send_signal(signal.SIGTERM)

        proxy.process.wait_for("stopping as soon as the new token of dev is saved")
        sandbox.release(held)
        assert proxy.process.child.wait(PATIENCE) == 0
        many.close()

    again = Proxy(place, config)
    with Tunnel(again) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    assert [entry["status"] for entry in sandbox.token_requests()] == [200]


@pytest.mark.parametrize("second", SIGNALS, ids=lambda how: how.name)
@pytest.mark.parametrize("by", ["stock", "serve"])
def test_a_second_signal_ends_at_once(
    place: Place, sandbox: Sandbox, by: str, second: signal.Signals
):
    """The first says what it waits for, and waits; the proxy dies of the second."""
    config = sandbox.state / "refresh_token.toml"
    stock = by == "stock"
    proxy = Stock(place, config).ready() if stock else Proxy(place, config)
    sandbox.hold(path=TOKEN)
    with crowd(proxy) as many:
        many.send("GET", ME)
        sandbox.wait(1, path=TOKEN)
        proxy.process.child.send_signal(signal.SIGTERM)
        proxy.process.wait_for("stopping as soon as the new token of dev is saved")
        assert proxy.process.child.poll() is None

        assert proxy.process.stop(second) == -second

    assert f"ended at once by {second.name}" in proxy.process.output
    assert "Traceback" not in proxy.process.output


@pytest.mark.parametrize("how", SIGNALS, ids=lambda how: how.name)
def test_proxy_stops_with_requests_under_way(
    place: Place, sandbox: Sandbox, how: signal.Signals
):
    """Requests and a replay under way do not keep the proxy from ending, with 0."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")
    with Tunnel(proxy) as tunnel, Tunnel(proxy) as upload, crowd(proxy) as many:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.fault({"status": 401}, path="/2.0/folders/0", times=1)
        sandbox.hold(path="/2.0/*")
        for n in range(10):
            many.send("GET", f"{ME}?n={n}")
        many.send("GET", "/2.0/folders/0")
        upload.begin("PUT", "/2.0/anything", Content_Length="10000000")
        upload.send(b"x" * 2_000_000)
        sandbox.wait(1 + 10, path=ME)
        sandbox.wait(2, path="/2.0/folders/0")
        sandbox.wait(1, path="/2.0/anything", phase="head")

        assert proxy.process.stop(how) == 0

    assert "Traceback" not in proxy.process.output
