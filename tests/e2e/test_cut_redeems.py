"""A client's redeem that is cut off does not leave later, when the lock is free."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gate import PATIENCE, Gate
from harness import Place, Proxy, Sandbox
from own_tokens import app
from tunnel import Tunnel

ME = "/2.0/users/me"
TOKEN = "/oauth2/token"
CUTTING = ("-s", str(Path(__file__).with_name("cut_script.py")))
KIND = "application/x-www-form-urlencoded"


@pytest.fixture
def gate(sandbox: Sandbox) -> Iterator[Gate]:
    """Stand before the sandbox."""
    gate = Gate(sandbox.port)
    yield gate
    gate.close()


def test_nothing_leaves_after_the_cut(place: Place, sandbox: Sandbox, gate: Gate):
    """The redeem waits for TLS when it is cut: a server that answers then gets none."""
    config = sandbox.state / "refresh_token.toml"
    text = config.read_text().replace(f":{sandbox.port}", f":{gate.port}")
    config.write_text(text)
    seed = (sandbox.state / "refresh_token.txt").read_text().strip()
    words = [*app(sandbox), "grant_type=refresh_token", f"refresh_token={seed}"]
    form = "&".join(word for word in words if word != "-d").encode()
    proxy = Proxy(place, config, mitmproxy=CUTTING)
    with Tunnel(proxy) as tunnel:
        # mitmproxy dials before the first request; it is about the one for a later.
        assert tunnel.ask("GET", ME, Everbearer_Profile="none").status == 401
        assert gate.came.acquire(timeout=PATIENCE)
        gate.shut()
        assert gate.left.acquire(timeout=PATIENCE)
        proxy.process.wait_for("cutting: .* has ended")
        tunnel.begin("POST", TOKEN, Content_Type=KIND, Content_Length=str(len(form)))
        tunnel.send(form)
        assert gate.came.acquire(timeout=PATIENCE)
        proxy.process.wait_for("no answer came within 4 s, it was cut off")

        gate.open()

        assert gate.left.acquire(timeout=PATIENCE)
    assert sandbox.token_requests() == []
    assert proxy.curl(f"https://api.box.com{ME}").status == 200
    assert [entry["status"] for entry in sandbox.token_requests()] == [200]
    assert "Traceback" not in proxy.process.output
