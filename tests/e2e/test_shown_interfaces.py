"""The story of requests, and our commands, in mitmproxy's own interfaces."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from canary import Canaries
from harness import START, Place, Proxy, Sandbox, Stock, curl
from shown import timeless
from test_interfaces import INJECT, Terminal, by_port, wait_until_listening

ME = "https://api.box.com/2.0/users/me"
PASSWORD = "open-sesame"


class Web:
    """mitmweb, and what its page asks it for."""

    def __init__(
        self, place: Place, sandbox: Sandbox, by: str, ports: tuple[int, int]
    ) -> None:
        config = sandbox.state / "all.toml"
        web = ("--web-port", str(ports[1]), "--no-web-open-browser")
        web += ("--set", f"web_password={PASSWORD}")
        self.proxy = (
            Stock(place, config, *web, program="mitmweb")
            if by == "stock"
            else Proxy(place, config, "--ui", "web", mitmproxy=web)
        )
        self._url = f"http://127.0.0.1:{ports[1]}"
        alive = threading.Event()
        alive.set()
        wait_until_listening(ports[1], alive)
        # mitmproxy listens before it has loaded scripts, and then once more.
        assert by_port(place, self.proxy.port, alive).status == 200

    def _ask(self, path: str, *more: str) -> Any:
        # The page's own proof that it is no other's, both halves chosen here; the
        # oldest mitmproxy calls it by the shorter name.
        cookies = "_xsrf=abcd; _mitmproxy_xsrf=abcd"
        same = ("-b", cookies, "-H", "X-XSRFToken: abcd")
        who = ("-H", f"Authorization: Bearer {PASSWORD}")
        return curl(*who, *same, *more, f"{self._url}{path}")

    def get(self, path: str) -> Any:
        return self._ask(path).json

    def command(self, name: str, *arguments: str) -> Any:
        """Run a command as the page's command line does."""
        body = json.dumps({"arguments": arguments})
        kind = ("-H", "Content-Type: application/json")
        return self._ask(f"/commands/{name}", *kind, "-d", body).json

    def log(self, wanted: str) -> str:
        """Return the log's line with *wanted*, which is waited for."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            lines = [entry["message"] for entry in self.get("/events")]
            found = [line for line in lines if wanted in line]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no {wanted!r} in {lines}")


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_mitmweb_shows_the_story_and_obeys(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str
):
    """Comments, markers and renewals are in its list; commands work in its line."""
    web = Web(place, sandbox, by, ports)
    assert web.proxy.curl("-H", "Everbearer-Profile: x", ME).status == 400
    assert web.command("everbearer.use", "jwt") == {"value": None}
    web.log("jwt is the default from now on")
    assert web.proxy.curl(ME).status == 200
    web.command("everbearer.renew", "jwt")
    assert web.log("jwt: renewed").endswith("min")
    web.command("everbearer.status")
    assert web.log("jwt (default): fresh")
    meant = web.command("everbearer.use", "jwtt")
    assert meant == {"error": "there is no profile 'jwtt'; write: \"jwt\""}

    flows = {timeless(flow["comment"]): flow for flow in web.get("/flows")}
    rule = "injected · fresh, N min left · rule box: API"
    assert {f"dev · {rule}", f"jwt · {rule}"} <= set(flows)
    assert flows["dev · renewal · cause first · good for N min"]["marked"] == "🔑"
    assert flows["jwt · renewal · cause asked · good for N min"]
    [refused] = [flow for text, flow in flows.items() if "profile_unknown" in text]
    assert refused["marked"] == "⛔"
    rows = web.command("everbearer.explain", f"@{refused['id']}")["value"]
    assert ["verdict", "refuse (profile_unknown)"] in rows
    sandbox.revoke()
    assert web.proxy.curl(ME).status == 200
    [replay] = [f for f in web.get("/flows") if "replay of a 401" in f["comment"]]
    rows += web.command("everbearer.explain", f"@{replay['id']}")["value"]
    assert ["request", "GET api.box.com/2.0/users/me: 200"] in rows
    told = [flow for flow in flows.values() if flow["marked"] == "🔑"]
    shown = web.get(f"/flows/{told[0]['id']}/response/content/auto.json")
    assert "everbearer" in json.dumps(shown)
    assert "60 min, until" in json.dumps(shown)

    everything = json.dumps([web.get("/flows"), web.get("/events"), shown, rows])
    assert not Canaries(sandbox).in_text(everything)
    assert not Canaries(sandbox).in_text(json.dumps(everything, ensure_ascii=False))


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_revoking_and_reloading(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str
):
    """A person's word ends the tokens; the next request is told to log in again."""
    web = Web(place, sandbox, by, ports)

    web.command("everbearer.revoke", "dev")
    web.log("dev: its tokens are revoked and deleted")
    web.command("everbearer.reload")
    web.log("is in force")

    assert web.proxy.curl(ME).status == 502
    assert sandbox.requests(path="/oauth2/revoke")
    flows = [flow["comment"] for flow in web.get("/flows")]
    assert "dev · revocation · the tokens are deleted" in flows


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_the_console_shows_the_status(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str
):
    """Typed at its prompt, the command shows the log with a line for each profile."""
    config = sandbox.state / "client_credentials.toml"
    confdir = ("--set", f"confdir={place.root / 'mitmproxy'}")
    if by == "stock":
        program = str(Path(sys.executable).with_name("mitmproxy"))
        words = ("-s", str(INJECT), "--set", f"everbearer_config={config}")
        command = (program, *words, *confdir, "--listen-port", str(ports[0]))
    else:
        serve = (sys.executable, "-m", "everbearer", "serve", "-c", str(config))
        listen = ("--ui", "console", "--listen", f"127.0.0.1:{ports[0]}")
        command = (*serve, *listen, "--", *confdir)
    terminal = Terminal(place, *command)
    try:
        assert by_port(place, ports[0], terminal.alive).status == 200
        terminal.type(":everbearer.status\r")
        end = time.monotonic() + START
        while b"ccg: fresh, " not in terminal.screen and time.monotonic() < end:
            time.sleep(0.05)
        assert b"ccg: fresh, " in terminal.screen
        assert "🔑".encode() in terminal.screen
    finally:
        terminal.type("qqy")
        code = terminal.close()
    assert code == 0
    assert not Canaries(sandbox).in_bytes(bytes(terminal.screen))
