"""Whose a connection on this machine is."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from everbearer.users.connection import NOBODY, owned, owner_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells"),
]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_owner_is_told_while_the_client_holds_it(host: str):
    """By both families; one whose client has let go of it is nobody's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        client = socket.create_connection(listening.getsockname()[:2])
        accepted, _ = listening.accept()
        with accepted:
            ends = accepted.getpeername()[:2], accepted.getsockname()[:2]
            assert owner_of(*ends) == os.geteuid()
            # Half closed is held still: no more is sent, and answers are read.
            client.shutdown(socket.SHUT_WR)
            assert owner_of(*ends) == os.geteuid()
            client.close()
            assert owner_of(*ends) == NOBODY


def test_a_connection_that_was_never_there_is_nobodys():
    """Neither end is known."""
    ends = ("127.0.0.1", 1), ("127.0.0.1", 2)
    assert owned(*ends) is None
    assert owner_of(*ends) == NOBODY


def test_one_that_was_reset_is_nobodys():
    """The kernel forgets it at once, and what was sent may be read still."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            ends = accepted.getpeername(), accepted.getsockname()
            client.sendall(b"POST")
            linger = bytes((1, 0, 0, 0, 0, 0, 0, 0))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
            assert owner_of(*ends) == NOBODY
