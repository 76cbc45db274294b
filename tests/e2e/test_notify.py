"""A real program is run by real proxies when a real grant is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox, Stock
from tunnel import Tunnel, crowd

ME = "/2.0/users/me"
URL = f"https://api.box.com{ME}"
TOKEN = "/oauth2/token"
CANARY = "c4nary-7f3a"
PROGRAM = """#!/bin/sh
printf '%s|%s|%s|%s|%s\\n' "$EVERBEARER_PROFILE" "$EVERBEARER_STATE" \\
    "$EVERBEARER_HINT" "$EVERBEARER_SOURCE" "$*" >> "$1"
env > "$1.env"
"""


def notified(place: Place, sandbox: Sandbox) -> tuple[Path, Path]:
    """Write a configuration with a program, and return where that writes."""
    program, out = place.root / "tell-me", place.root / "told"
    program.write_text(PROGRAM)
    program.chmod(0o700)
    command = json.dumps([str(program), str(out), "$HOME; exit 1"])
    more = f"\n[notify]\ncommand = {command}\n"
    config = sandbox.config("notified", more, "refresh_token")
    # A secret of the environment, of which the program may not learn.
    text = config.read_text()
    line = 'client_secret = { file = "dev_client_secret.txt" }'
    assert line in text
    config.write_text(text.replace(line, 'client_secret = { env = "BOX_SECRET" }'))
    return config, out


def secret(sandbox: Sandbox) -> str:
    """Return the client's secret."""
    return (sandbox.state / "dev_client_secret.txt").read_text().strip()


def lines(out: Path, count: int = 1) -> list[list[str]]:
    """Wait for so many lines and return their parts."""
    deadline = time.monotonic() + 60
    while not out.exists() or out.read_text().count("\n") < count:
        assert time.monotonic() < deadline, out.exists() and out.read_text()
        time.sleep(0.05)
    return [line.split("|") for line in out.read_text().splitlines()]


def refuse(sandbox: Sandbox) -> None:
    """Have the server refuse the grant, and its last token."""
    sandbox.fault({"status": 400, "body": {"error": "invalid_grant"}}, path=TOKEN)
    sandbox.revoke()


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_a_person_is_told_once(place: Place, sandbox: Sandbox, by: str):
    """However many requests meet it; then again, once it was well in between."""
    config, out = notified(place, sandbox)
    given = secret(sandbox)
    if by == "serve":
        proxy = Proxy(place, config, BOX_SECRET=given)
        asks = proxy.curl
    else:
        stock = Stock(place, config, BOX_SECRET=given).ready()
        asks = stock.curl
    assert asks(URL).status == 200
    refuse(sandbox)
    for _ in range(3):
        assert asks(URL).status in {401, 502}
    [[profile, state, hint, source, arguments]] = lines(out)
    assert (profile, state) == ("dev", "reauthorization_required")
    assert "run: everbearer login" in hint
    assert source == str(config)
    assert arguments == f"{out} $HOME; exit 1"
    environ = Path(f"{out}.env").read_text()
    assert given not in environ
    assert "BOX_SECRET" not in environ

    # A person has it renewed; here the server has changed its mind.
    sandbox.call("DELETE", "faults")
    done = place.everbearer("renew", "-c", str(config), BOX_SECRET=given)
    assert done.returncode == 0, done.stderr
    sandbox.revoke()
    assert asks(URL).status == 200  # by a renewal of the proxy's own
    refuse(sandbox)
    assert asks(URL).status in {401, 502}
    assert [line[1] for line in lines(out, 2)] == ["reauthorization_required"] * 2


def test_one_of_several_workers_tells_for_all(place: Place, sandbox: Sandbox):
    """Whichever of them meets it: the first looks into the store."""
    config, out = notified(place, sandbox)
    proxy = Proxy(place, config, "--workers", "2", BOX_SECRET=secret(sandbox))
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    refuse(sandbox)
    with crowd(proxy) as many:
        for each in [many.send("GET", f"{ME}?n={n}") for n in range(40)]:
            assert each.result().status in {401, 502}
    [[profile, state, *_]] = lines(out)
    assert (profile, state) == ("dev", "reauthorization_required")
    assert proxy.process.stop() == 0
    assert len(lines(out)) == 1
