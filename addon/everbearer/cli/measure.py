"""Numbers for the demo, measured where it runs; nothing depends on them."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import statistics
import subprocess
import sysconfig
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.cli.stage import Stage

REQUESTS: Final = 200
_LONGEST_START: Final = 60.0
_LOOK_EVERY: Final = 0.01
_LOCAL: Final = ("-q", "--listen-host", "127.0.0.1")


def injected_and_passed(
    stage: Stage, port: int, token: str, profile: str
) -> tuple[float, float]:
    """
    Return the median seconds of a request: with our token, and with the client's.

    Both go by the same proxy over one connection, in turn; the second has its
    own *token* and asks for no profile.
    """
    trust = ssl.create_default_context(
        cafile=stage.folder / "mitmproxy" / "mitmproxy-ca-cert.pem"
    )
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust)
    connection.set_tunnel("api.box.com", 443)
    injected = {"Everbearer-Profile": profile}
    passed = {"Everbearer-Profile": "none", "Authorization": f"Bearer {token}"}
    with closing(connection):
        for fields in (injected, passed):  # connections are made, tokens obtained
            _request(connection, fields)
        pairs = [
            (_request(connection, injected), _request(connection, passed))
            for _ in range(REQUESTS)
        ]
    ours, theirs = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def mitmdump_start(stage: Stage) -> float | None:
    """Return the seconds until mitmdump listens, None where it is not installed."""
    program = shutil.which("mitmdump", path=sysconfig.get_path("scripts"))
    if program is None:
        return None
    port = _free_port()
    confdir = f"confdir={stage.folder / 'mitmproxy'}"
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - mitmproxy's own command
        [program, *_LOCAL, "-p", str(port), "--set", confdir],
        env=stage.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _listens(port):
            if process.poll() is not None or time.monotonic() - began > _LONGEST_START:
                return None
            time.sleep(_LOOK_EVERY)
        return time.monotonic() - began
    finally:
        process.terminate()
        process.wait()


def _request(
    connection: http.client.HTTPConnection, fields: Mapping[str, str]
) -> float:
    began = time.perf_counter()
    connection.request("GET", "/2.0/users/me", headers=dict(fields))
    connection.getresponse().read()
    return time.perf_counter() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
