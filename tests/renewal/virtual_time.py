"""An event loop whose time passes only while everybody waits."""

from __future__ import annotations

import asyncio
import functools
import math
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

EPOCH = 1_800_000_000.0
HOUR = 3600.0


class DeadlockError(RuntimeError):
    """Everybody waits for something that nobody will do."""


class _Selector(selectors.DefaultSelector):
    """Never waits: what a real one would wait is added to `passed`."""

    passed = 1000.0

    def select(self, timeout: float | None = None):
        """Let time pass; nothing else can happen without sockets and threads."""
        if timeout is None:
            raise DeadlockError
        self.passed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tests without sockets and threads."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        # The real one is lost in the rounding once months have passed, and what
        # is due would never be.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time."""
        return self._virtual.passed


class FakeClock:
    """The clock of a virtual loop; `skew` is how far the wall clock is off."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self.skew = 0.0

    def now(self) -> float:
        """Return the virtual time."""
        return self._loop.time()

    def wall(self) -> float:
        """Return what the clock on the wall shows."""
        return self.true_time() + self.skew

    def true_time(self) -> float:
        """Return what the server's clock says."""
        return EPOCH + self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        assert math.isfinite(seconds)
        await asyncio.sleep(seconds)


def run[T](work: Coroutine[object, object, T]) -> T:
    """Run *work* in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def virtual[**P](test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Make an asynchronous test one that runs in virtual time."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return wrapper
