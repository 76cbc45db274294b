"""Ports for programs that must be told theirs before they start."""

from __future__ import annotations

import random
import socket


def unused_port() -> int:
    """
    Return a port that nobody listens on.

    It is below those that systems give to connections and to port 0, so that no
    other test gets it in the meantime.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
