"""
Other users of this machine, who can reach loopback as well.

A cookie is sent to every port of a host: a server of somebody else's on this
machine that the browser once visits has it. On Linux it is of no use to him, since
the kernel tells whose connection it is; elsewhere the cookie alone decides.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from everbearer.users.connection import owner_of

if TYPE_CHECKING:
    import socket

_ROOT: Final = 0


async def is_strangers(connection: socket.socket) -> bool:
    """Tell whether another user than this one (or root) opened *connection*."""
    try:
        client, server = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:  # it is gone
        return True
    uid = await asyncio.to_thread(owner_of, client, server)
    return uid is not None and uid not in {os.geteuid(), _ROOT}
