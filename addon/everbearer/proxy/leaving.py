"""
A proxy that leaves: nobody else is let in, and what is under way ends first.

Who asks again on a connection is answered, and told that it closes (RFC 9112 §9.6):
only one on which nothing passes is closed untold.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from everbearer.proxy import internals
from everbearer.proxy.streams import answer_for_the_last_time, is_in_use

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from everbearer.proxy.accepting import Doors

logger = logging.getLogger(__name__)

GRACE: Final = 25.0
"""Seconds for what is under way; many a service manager kills after 30."""

_QUIET: Final = 1.0
"""Seconds without a byte after which a connection is not in use."""

_LOOK_EVERY: Final = 0.05


async def leave(master: Master, doors: Doors) -> None:
    """Let what is under way end, for `GRACE` seconds; then have *master* end."""
    answer_for_the_last_time()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE
    # Who was accepted just now is there after a turn of the loop, or two.
    await asyncio.sleep(_LOOK_EVERY)
    while doors.anybody and loop.time() < deadline:
        for client in internals.clients():
            if not is_in_use(client, quiet=_QUIET):
                internals.abort(client, client)
        await asyncio.sleep(_LOOK_EVERY)
    if doors.anybody:
        left = len(internals.clients())
        logger.warning("cut off %d clients that were still being served", left)
    master.shutdown()
