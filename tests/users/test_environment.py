"""Linux tells whose connection it is, and whether he has the password."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from everbearer.secret import Secret
from everbearer.users.environment import EnvironmentHolds
from needs import need_proc

pytestmark = pytest.mark.real

PASSWORD = "a-password-of-this-test-alone-0123456789"
CLIENT = """
import socket, sys
family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
host = "::ffff:127.0.0.1" if sys.argv[1] == "6" else "127.0.0.1"
with socket.socket(family) as client:
    client.connect((host, int(sys.argv[2])))
    client.recv(1)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen as a proxy does."""
    need_proc(Path("/proc/net/tcp"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("family", ["4", "6"])
@pytest.mark.parametrize(
    ("environ", "known"),
    [
        ({"HTTPS_PROXY": f"http://everbearer:{PASSWORD}@127.0.0.1:1"}, True),
        ({"HTTPS_PROXY": "http://everbearer:another@127.0.0.1:1"}, False),
        ({}, False),
    ],
)
def test_a_process_is_known_by_its_environment(listener, family, environ, known):
    """Over a socket of either family; the password itself has to be there."""
    _, port = listener.getsockname()
    client = subprocess.Popen(
        [sys.executable, "-S", "-c", CLIENT, family, str(port)], env=environ
    )
    try:
        connection, peer = listener.accept()
        with connection:
            holds = EnvironmentHolds(Secret(PASSWORD))
            assert holds.knows(peer, connection.getsockname()) is known
            # Not the connection of anybody: there is none such.
            assert not holds.knows((peer[0], port), connection.getsockname())
    finally:
        client.kill()
        client.wait()
