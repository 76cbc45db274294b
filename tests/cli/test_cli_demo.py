"""`everbearer demo` keeps its word, and says so when it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from needs import need

pytestmark = pytest.mark.real


def demo(tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with a home and a temporary folder of its own."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return subprocess.run(
        [sys.executable, "-m", "everbearer", "demo"],
        env=os.environ
        | {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
        | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_demo_keeps_every_claim_and_leaves_nothing(tmp_path):
    """
    All grants answered, expiry and revocation healed; home and /tmp are as before.

    A proxy that the environment names leads nowhere, and is not asked.
    """
    need("curl")
    nowhere = "http://127.0.0.1:9"
    done = demo(tmp_path, HTTPS_PROXY=nowhere, ALL_PROXY=nowhere, NO_PROXY="box.com")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    kept, count = re.search(r"(\d+) of (\d+) claims kept", done.stdout).groups()
    assert kept == count
    for claim in (
        "200 by refresh_token",
        "200 by jwt-bearer",
        "200 by client_credentials",
        "the 401 never reached curl",
        "and no 401",
    ):
        assert re.search(rf"^  ok: .*{claim}", done.stdout, re.MULTILINE)
    assert "answers 401: 1; token requests: 1" in done.stdout
    assert "\x1b" not in done.stdout
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_demo_fails_if_anything_is_not_as_claimed(tmp_path):
    """With a curl that shows every 200 as 500, claims break and the exit code is 1."""
    (tmp_path / "bin").mkdir()
    liar = tmp_path / "bin" / "curl"
    liar.write_text(f'#!/bin/sh\n{need("curl")} "$@" | sed "s/^200$/500/"\n')
    liar.chmod(0o755)
    done = demo(tmp_path, PATH=f"{liar.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "NOT AS CLAIMED: 200 by refresh_token" in done.stdout
    assert "everbearer: error: not as claimed: 200 by jwt-bearer" in done.stderr


def test_the_demo_says_that_curl_is_missing(tmp_path):
    """Without curl nothing is started, and the way out is told."""
    done = demo(tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "curl is not installed" in done.stderr
    assert "hint: " in done.stderr
