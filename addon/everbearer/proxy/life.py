"""Start, reload, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from mitmproxy import ctx

from everbearer.dying import die_of
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.broker import Broker

logger = logging.getLogger(__name__)


class EverbearerLife:
    """
    Watches the configuration while the proxy runs, and lets it stop in order.

    *finish* is awaited when the broker has stopped, before anything is saved.
    """

    def __init__(
        self, broker: Broker, finish: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._broker = broker
        self._finish = finish
        self._tasks = Tasks()
        self._watching: list[asyncio.Task[None]] = []

    def running(self) -> None:
        """Watch the configuration; reload it on SIGHUP, which ends the console."""
        loop = asyncio.get_running_loop()
        self._watching = [
            self._tasks.spawn(self._broker.watch(), name="watch the configuration"),
            self._tasks.spawn(self._broker.keep_alive(), name="keep grants alive"),
        ]
        if hasattr(ctx.master, "prompt_for_exit"):
            # The console: its terminal has gone, without which it never ends, and
            # reads the end of it as fast as it can.
            return
        # Not on every platform, and not outside the main thread.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGHUP, self._broker.reload_soon)

    def done(self) -> asyncio.Task[None]:
        """
        Wait until every renewal in flight is saved; not after a second signal.

        No coroutine function: mitmproxy calls it without waiting, and refuses
        those, when it takes a script out that has changed on disk.
        """
        if ctx.master.should_exit.is_set():
            _end_at_the_next_signal()
        return self._tasks.spawn(self._stop(), name="stop")

    async def _stop(self) -> None:
        if awaited := self._broker.awaited:
            logger.warning(awaited)
        for task in self._watching:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._broker.stop()
        if self._finish is not None:
            await self._finish()


def _end_at_the_next_signal() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            if loop.remove_signal_handler(number):  # a worker hears not every one
                loop.add_signal_handler(number, _end, number)


def _end(number: signal.Signals) -> None:
    logger.warning("ended at once by %s", number.name)
    die_of(number)
