"""`everbearer serve` when nobody reads any more what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from needs import need

ME = "https://api.box.com/2.0/users/me"
BANNER = re.compile(rb"127\.0\.0\.1:(\d+), as a proxy[^$]*NOT THE REAL BOX.*\n")
TAKE_TERMINAL = """
import fcntl, os, sys, termios
if os.isatty(2):
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "everbearer", *sys.argv[1:]])
"""


def read_banner(reading: int) -> int:
    """Read until the banner is complete; return the proxy's port."""
    said = b""
    while not (match := BANNER.search(said)):
        more = os.read(reading, 65536)
        assert more, said
        said += more
    return int(match[1])


@pytest.mark.parametrize("make", [os.pipe, os.openpty])
def test_it_goes_on_serving_and_ends_in_order(make, box):
    """With its reader gone or its terminal closed it answers, and stops with 0."""
    need("curl")
    reading, writing = make()
    # With buffers, as a user has it: what is left in one is written at the end.
    env = {k: v for k, v in box.stage.env.items() if k != "PYTHONUNBUFFERED"}
    words = "-v -c box/all.toml --listen 127.0.0.1:0 -- --set confdir=mitmproxy"
    child = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, "serve", *words.split()],
        cwd=box.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        start_new_session=True,
    )
    os.close(writing)
    try:
        port = read_banner(reading)
        os.close(reading)
        proxy = ("-x", f"http://127.0.0.1:{port}")
        trust = ("--cacert", "mitmproxy/mitmproxy-ca-cert.pem")
        asked = ("-s", "-o", "/dev/null", "-w", "%{http_code}", *proxy, *trust, ME)
        assert [box.stage.curl(*asked) for _ in range(3)] == ["200"] * 3
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
