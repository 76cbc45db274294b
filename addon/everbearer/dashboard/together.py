"""One answer for all who ask at once: what it takes to make it is taken once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def together[T](make: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """
    Return *make* such that it runs once at a time, whoever asks how often.

    Who asks while it runs gets what it makes; who goes away takes it from nobody.
    """
    running: asyncio.Future[T] | None = None

    async def made() -> T:
        nonlocal running
        if running is None or running.done():
            running = asyncio.ensure_future(make())
        return await asyncio.shield(running)

    return made
