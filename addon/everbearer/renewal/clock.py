"""What time it is, and waiting for it: the one place that reads clocks."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final, Protocol

_NAP: Final = 30.0
"""Seconds after which a sleeper looks whether the machine itself has slept."""


class Clock(Protocol):
    """
    Two clocks and a way to wait.

    `now` ages tokens: it never jumps, and runs on while the machine sleeps.
    `wall` is what others understand and may jump: it is for the store, for
    events and for assertions.
    """

    def now(self) -> float:
        """Return monotonic seconds, from an arbitrary start."""

    def wall(self) -> float:
        """Return seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait until `now` has advanced by so much."""


class SystemClock:
    """The machine's clocks."""

    # Linux stops CLOCK_MONOTONIC while suspended, macOS does not; a token ages
    # either way.
    if sys.platform == "linux":
        _ID: Final = time.CLOCK_BOOTTIME
    else:
        _ID: Final = time.CLOCK_MONOTONIC

    def now(self) -> float:
        """Return seconds since the machine started."""
        return time.clock_gettime(self._ID)

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait; at most 30 s late after the machine itself has slept."""
        left, end = seconds, self.now() + seconds
        # The event loop's timers stop with the machine, `now` does not.
        while left > 0:
            await asyncio.sleep(min(left, _NAP))
            left = end - self.now()
