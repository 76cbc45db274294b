"""What flow files and HARs tell of everbearer's work, with real programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from canary import Canaries, written
from harness import START, Place, Proxy, Sandbox, Stock
from shown import timeless

ME = "https://api.box.com/2.0/users/me"
REFUSED = "refused: Everbearer-Profile: 'x' names no profile (profile_unknown)"
TOKEN_URL = "https://api.box.com/oauth2/token"


def flows_in(path: Path) -> list[HTTPFlow]:
    """Return the flows of a file of mitmproxy's."""
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if flow.type == "http"]


def start(place: Place, sandbox: Sandbox, by: str) -> Proxy | Stock:
    """Start a proxy that saves what passes, in both formats."""
    save = ("-w", str(place.root / "x.flows"))
    save += ("--set", f"hardump={place.root / 'x.har'}")
    config = sandbox.state / "refresh_token.toml"
    if by == "stock":
        return Stock(place, config, *save).ready()
    return Proxy(place, config, mitmproxy=save)


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_saved_flows_tell_the_story(place: Place, sandbox: Sandbox, by: str):
    """Comments, markers and renewals are there in both formats, and no secret is."""
    proxy = start(place, sandbox, by)
    assert proxy.curl(ME).status == 200
    sandbox.revoke()
    assert proxy.curl(ME).status == 200
    assert proxy.curl("-H", "Everbearer-Profile: x", ME).status == 400
    assert proxy.process.stop() == 0

    flows = flows_in(place.root / "x.flows")
    injected = "injected · fresh, N min left · rule box: API"
    assert [(flow.marked, timeless(flow.comment)) for flow in flows] == [
        (":key:", "dev · renewal · cause first · good for N min"),
        ("", f"dev · {injected}"),
        (":key:", "dev · renewal · cause rejected · good for N min"),
        (":repeat:", "dev · replay of a 401 · fresh, N min left"),
        (":repeat:", f"dev · 401 invalid_token → renewed → replayed · {injected}"),
        (":no_entry:", f"{REFUSED} · rule box: API"),
    ]
    entries = json.loads((place.root / "x.har").read_text())["log"]["entries"]
    asked = [e for e in entries if e["request"]["url"] == TOKEN_URL]
    assert len(asked) == 2
    assert all("[everbearer:" in e["response"]["content"]["text"] for e in asked)
    assert all("[everbearer:" in e["request"]["postData"]["text"] for e in asked)
    assert not Canaries(sandbox).in_files(written(place))


def test_the_last_renewal_is_saved_when_the_proxy_stops(place: Place, sandbox: Sandbox):
    """What ends with the proxy is among the flows: the savers come after it."""
    proxy = start(place, sandbox, "serve")
    held = sandbox.hold(path="/oauth2/token")
    words = ("curl", "-sS", "-x", proxy.url, "--cacert", str(proxy.ca), ME)
    waiting = place.run(*words)
    sandbox.wait(path="/oauth2/token", phase="arrived")
    proxy.process.child.terminate()
    proxy.process.wait_for("stopping as soon as the new token of dev is saved")
    sandbox.release(held)
    assert proxy.process.child.wait(START) == 0  # without a second signal
    proxy.process.stop()
    waiting.stop()

    comments = [timeless(flow.comment) for flow in flows_in(place.root / "x.flows")]
    assert "dev · renewal · cause first · good for N min" in comments


def test_a_saved_renewal_is_never_sent(place: Place, sandbox: Sandbox):
    """Replayed from its file it is refused here, and clients' flows are not."""
    first = start(place, sandbox, "serve")
    assert first.curl(ME).status == 200
    assert first.process.stop() == 0
    saved = place.root / "saved.flows"
    (place.root / "x.flows").rename(saved)
    sandbox.forget()

    again = Proxy(
        place,
        sandbox.state / "refresh_token.toml",
        mitmproxy=("-C", str(saved), "-w", str(place.root / "again.flows")),
    )
    sandbox.wait(path="/2.0/users/me")  # it comes second in the file
    again.process.wait_for("GET api.box.com/2.0/users/me 200")
    assert again.process.stop() == 0

    assert sandbox.token_requests() == []
    by_url = {f.request.pretty_url: f for f in flows_in(place.root / "again.flows")}
    assert by_url[ME].response.status_code == 200
    assert by_url[TOKEN_URL].response.json()["code"] == "question_not_repeated"
