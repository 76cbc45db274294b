"""Box's own SDK for Python works by the proxy, with a placeholder for a token."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from harness import Place, Proxy, Sandbox

CLIENT = Path(__file__).with_name("box_sdk_client.py")
SIZE = 20_000_001
"""Bytes of a file that Box takes in parts."""


@pytest.mark.parametrize("proxy_by", ["environment", "with_proxy"])
def test_sdk_survives_a_revocation_in_a_chunked_upload(
    place: Place, sandbox: Sandbox, proxy_by: str
):
    """It lists, uploads and downloads; no byte is lost, and it sees no 401."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")
    content = Random(1).randbytes(SIZE)
    file = place.root / "large.bin"
    file.write_bytes(content)
    environment = place.env | {"REQUESTS_CA_BUNDLE": str(proxy.ca)}
    arguments = [sandbox.control, str(file)]
    if proxy_by == "environment":
        environment["HTTPS_PROXY"] = proxy.url
    else:
        arguments.append(proxy.url)

    done = subprocess.run(
        [sys.executable, str(CLIENT), *arguments],
        env=environment,
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "login": "olivia@example.com",
        "revoked": 1,
        "items": ["large.bin", "small.bin"],
        "small": True,
        "large": hashlib.sha256(content).hexdigest(),
    }
    met = [(entry["method"], entry["host"]) for entry in sandbox.requests(status=401)]
    assert met == [("PUT", "upload-las.app.box.com")]
    assert [entry["status"] for entry in sandbox.token_requests()] == [200, 200]
