"""A session that is made again when it was lost, and who listens on one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from everbearer.errors import StoreError
from everbearer.stores import postgres_layout as layout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.stores.postgres_server import Server
    from everbearer.stores.postgres_session import Session, Timing
    from everbearer.tasks import Tasks


class Line:
    """
    One session after the other, each made ready by *begin* before it is used.

    With *idle*, the server ends a session that is silent for so many seconds.
    """

    def __init__(
        self,
        server: Server,
        timing: Timing,
        begin: Callable[[Session], Awaitable[None]],
        *,
        idle: float = 0.0,
    ) -> None:
        self._server = server
        self._timing = timing
        self._begin = begin
        self._idle = idle
        self._session: Session | None = None
        self._turn = asyncio.Lock()

    async def run[T](
        self, work: Callable[[Session], Awaitable[T]], patience: float | None = None
    ) -> T:
        """
        Do *work* on the session; once more on another if it was lost meanwhile.

        *work* must be such that it can be repeated. A server that is away is
        waited for, at most *patience* seconds. Raises StoreError.
        """
        if patience is None:
            patience = self._timing.patience
        until = asyncio.get_running_loop().time() + patience
        async with self._turn:
            old = self._session
            if old is not None and not old.lost:
                try:
                    return await work(old)
                except StoreError:
                    if not old.lost:
                        raise
            return await work(await self._renewed(until))

    async def open(self) -> None:
        """Make the first session ready; raises StoreError."""
        until = asyncio.get_running_loop().time() + self._timing.patience
        async with self._turn:
            await self._renewed(until)

    async def beat(self) -> None:
        """Let the server know, for ever, that the session's holder is alive."""
        while True:
            await asyncio.sleep(self._timing.beat)
            async with self._turn:
                if self._session is not None and not self._session.lost:
                    with suppress(StoreError):
                        await self._session.fetch("SELECT 1")

    async def close(self) -> None:
        """End the session."""
        if self._session is not None:
            await self._session.close()

    async def _renewed(self, until: float) -> Session:
        if self._session is not None:
            await self._session.close()
        session = await self._server.connect(until, idle=self._idle)
        try:
            await self._begin(session)
        except BaseException:
            await session.close()
            raise
        self._session = session
        return session


class News:
    """
    The generation, as it was when last heard of it.

    A listening session hears of every save; while it is well the answer is in
    memory. When it is not, *ask* is asked.
    """

    def __init__(
        self,
        server: Server,
        timing: Timing,
        ask: Callable[[], Awaitable[int]],
        tasks: Tasks,
    ) -> None:
        self._server = server
        self._timing = timing
        self._ask = ask
        self._tasks = tasks
        self._known = 0
        self._until = 0.0  # the loop's time
        self._task: asyncio.Task[None] | None = None

    async def generation(self) -> int:
        """Return the number of saves; raises StoreError."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = self._tasks.spawn(self._listen(), name="listen to the store")
        if loop.time() < self._until:
            return self._known
        return await self._ask()

    def doubt(self) -> None:
        """Forget what was heard: there is something newer."""
        self._until = 0.0

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            with suppress(StoreError):
                session = await self._server.connect(float("inf"))
                try:
                    await self._follow(session)
                finally:
                    self.doubt()
                    await session.close()
            await asyncio.sleep(self._timing.quiet)

    async def _follow(self, session: Session) -> None:
        clock = asyncio.get_running_loop().time
        await session.fetch(layout.LISTEN)
        while True:
            self._known = await layout.generation(session)
            self._until = clock() + 2 * self._timing.quiet
            await session.notified(self._timing.quiet)
