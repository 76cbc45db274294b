"""One connection to PostgreSQL, and how long what on it may take."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from everbearer.stores.postgres_errors import failed, too_late

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Timing:
    """
    How long what may take, in seconds.

    A session that holds a lock speaks every `beat`; the server ends one that has
    not for `idle`, so a holder cut off frees its lock after that at the latest.
    """

    connect: float = 5.0
    statement: float = 10.0  # the server's limit for one
    answer: float = 15.0  # ours, should the server not be heard any more
    patience: float = 20.0  # for a server that is away
    relock: float = 30.0  # to take a lost lock again
    beat: float = 5.0
    idle: float = 25.0
    quiet: float = 3.0  # between two looks of who listens

    @property
    def statement_timeout(self) -> str:
        """As PostgreSQL writes it."""
        return f"{round(self.statement * 1000)}ms"


class Session:
    """One connection to the server, used by one task at a time."""

    def __init__(
        self, connection: psycopg.AsyncConnection[Any], name: str, timing: Timing
    ) -> None:
        self._connection = connection
        self._name = name
        self._timing = timing

    @property
    def lost(self) -> bool:
        """It has ended; whatever it held on the server is gone, or soon will be."""
        return self._connection.closed

    async def fetch(
        self,
        statement: str,
        parameters: Sequence[object] = (),
        *,
        patience: float | None = None,
    ) -> list[tuple[Any, ...]]:
        """
        Return the rows of one statement, committed.

        Raises StoreError. Without an answer within *patience* seconds, and when
        the caller is cancelled, the session ends at once.
        """
        work = self._execute(statement, parameters)
        answer = asyncio.get_running_loop().create_task(work, name="ask PostgreSQL")
        try:
            await asyncio.wait([answer], timeout=patience or self._timing.answer)
        except asyncio.CancelledError:
            await self._give_up(answer)
            raise
        if not answer.done():
            await self._give_up(answer)
            raise too_late(self._name)
        try:
            return answer.result()
        except psycopg.Error as error:
            raise failed(self._name, error) from None

    async def notified(self, patience: float) -> None:
        """Wait for a notification; at most *patience* seconds. Raises StoreError."""
        try:
            async for _ in self._connection.notifies(timeout=patience, stop_after=1):
                pass
        except psycopg.Error as error:
            raise failed(self._name, error) from None

    async def close(self) -> None:
        """End it, and with it whatever it holds on the server."""
        await self._connection.close()

    async def _execute(
        self, statement: str, parameters: Sequence[object]
    ) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(statement.encode(), parameters or None)
        return await cursor.fetchall() if cursor.description else []

    async def _give_up(self, answer: asyncio.Task[list[tuple[Any, ...]]]) -> None:
        """
        End the session without a word to the server, which may not be heard.

        psycopg would ask it to cancel the statement, and wait for that.
        """
        answer.add_done_callback(lambda done: done.exception())  # that it was cut
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.fileno())) as shared,
        ):
            shared.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([answer])
        await self.close()
