"""Background work that is neither collected as garbage nor fails in silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Tasks:
    """
    The background tasks of one event loop.

    Each is referenced until it ends (asyncio itself keeps weak references
    only). An exception that leaves one is a mistake in the program: whoever
    expects errors handles them inside.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[object]] = set()
        self._kept: set[asyncio.Task[object]] = set()

    def spawn[T](
        self, work: Coroutine[object, object, T], name: str
    ) -> asyncio.Task[T]:
        """Start *work*; its failure is reported, cancellation is not."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep[T](self, work: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Start *work* that people are told of by *name* while it is waited for."""
        task = self.spawn(work, name)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of what was begun by `keep` and has not ended."""
        return tuple(sorted({task.get_name() for task in self._kept}))

    async def drain(self) -> None:
        """Wait until no task is left, those spawned meanwhile included."""
        while self._running:
            await asyncio.wait(self._running)
            # Callbacks of the last ones may still be due.
            await asyncio.sleep(0)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            report(f"{task.get_name()} failed unexpectedly", error)
