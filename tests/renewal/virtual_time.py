"""An event loop whose time passes only while everybody waits."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

EPOCH = 1_800_000_000.0
HOUR = 3600.0


class DeadlockError(RuntimeError):
    """Everybody waits for something that nobody will do."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop for tests without sockets and threads: nothing happens but timers.

    A day of it is 86,400 looks of a manager at its store, so what asyncio does for
    files, threads and debugging at each turn is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.passed = 1000.0
        self._order = itertools.count()

    def time(self) -> float:
        """Return the virtual time."""
        return self.passed

    def call_at(self, when, callback, *args, context=None) -> asyncio.TimerHandle:
        """Call later, those of one instant in the order in which they were told."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, (when, next(self._order), timer))
        return timer

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """Return what is done when the time has passed."""
        done = self.create_future()
        heapq.heappush(
            self._scheduled, (self.passed + seconds, next(self._order), done)
        )
        return done

    def _run_once(self) -> None:
        """Let time pass if nobody is ready, then run who is."""
        timers, ready = self._scheduled, self._ready
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise DeadlockError
            self.passed = max(self.passed, timers[0][0])
        while timers and timers[0][0] <= self.passed:
            due = heapq.heappop(timers)[2]
            if isinstance(due, asyncio.TimerHandle):
                ready.append(due)
            elif not due.done():
                due.set_result(None)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()


class FakeClock:
    """The clock of a virtual loop; `skew` is how far the wall clock is off."""

    def __init__(self, loop: VirtualLoop | None = None) -> None:
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
        # As asyncio does: who waits for no time lets the others go first.
        await (self._loop.sleep(seconds) if seconds > 0 else asyncio.sleep(0))


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
