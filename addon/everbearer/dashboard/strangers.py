"""
Other users of this machine, who can reach loopback as well.

A cookie is sent to every port of a host: a server of somebody else's on this
machine that the browser once visits has it. On Linux it is of no use to him, since
the kernel tells whose connection it is; elsewhere the cookie alone decides.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from everbearer.users.connection import owner_of

if TYPE_CHECKING:
    import socket

_ROOT: Final = 0

_LOOK: Final = ThreadPoolExecutor(1, "look whose connection it is")
"""Of its own: who asks too much here keeps no renewal waiting for a thread."""


async def is_strangers(connection: socket.socket) -> bool:
    """Tell whether another user than this one (or root) opened *connection*."""
    try:
        client, server = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:  # it is gone
        return True
    loop = asyncio.get_running_loop()
    uid = await loop.run_in_executor(_LOOK, owner_of, client, server)
    return uid is not None and uid not in {os.geteuid(), _ROOT}
