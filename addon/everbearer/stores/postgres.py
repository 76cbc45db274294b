"""
The store in a PostgreSQL database, shared by the processes of several machines.

A grant is held by an advisory lock of a session of its own, which the server
frees when that session ends: with its holder, or when nothing was heard of it for
`Timing.idle`. What the holder loads and saves goes by that very session. Where it
was lost, the lock is first taken again, and the version decides whether somebody
else has saved in between.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from everbearer.errors import StoreConflict, StoreError
from everbearer.stores import postgres_layout as layout
from everbearer.stores.codec import examined, seal, unseal
from everbearer.stores.postgres_line import Line, News
from everbearer.stores.postgres_server import Server, connect_blocking
from everbearer.stores.postgres_session import Timing
from everbearer.stores.rescue import Rescue, apart
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from pathlib import Path

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.codec import Row
    from everbearer.stores.contract import Examined, GrantKey, Record, Rescued
    from everbearer.stores.key_check import KeyCheck
    from everbearer.stores.keys import KeyPlace
    from everbearer.stores.postgres_server import Database
    from everbearer.stores.postgres_session import Session

_LOCK: Final = "SELECT pg_advisory_lock(%s)"
_LIMIT: Final = "SELECT set_config('statement_timeout', %s, false)"


class PostgresStore:
    """
    Records in *database*, sealed by *cipher* before they leave the process.

    A cancelled `save` ends, done or failed, before it raises. While the server
    is away, whatever needs it waits for `Timing.patience` and fails.
    """

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        check: KeyCheck,
        timing: Timing,
        rescue: Rescue,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._check = check
        self._timing = timing
        self._rescue = rescue
        self._server = Server(database, timing)
        self._reading = Line(self._server, timing, self._checked)
        self._tasks = Tasks()
        self._news = News(self._server, timing, self._ask_generation, self._tasks)
        self._held: dict[tuple[str, asyncio.Task[Any] | None], Line] = {}
        self._asked: set[asyncio.Task[Any]] = set()

    @classmethod
    def open(
        cls,
        database: Database,
        key: KeyPlace,
        timing: Timing | None = None,
        *,
        elsewhere: Path,
    ) -> PostgresStore:
        """
        Open the store, which `migrate` has made.

        *elsewhere* is a folder of this machine for emergency copies, made when it
        is needed. Blocks; with a keyring for as long as a person takes to unlock it.
        """
        timing = timing or Timing()
        connection = connect_blocking(database, timing)
        try:
            cipher, check = layout.open_blocking(connection, database, key)
        finally:
            connection.close()
        # By the store's own name: the database may be had by another address
        # tomorrow. By its URL lie those of older versions.
        names = check.store, str(database)
        places = tuple(apart(elsewhere, name) for name in names)
        rescue = Rescue(places, cipher)
        return cls(database, cipher, check, timing, rescue)

    @staticmethod
    def migrate(database: Database, key: KeyPlace) -> str:
        """Make or migrate the store, and say what was done; blocks as `open`."""
        connection = connect_blocking(database, Timing())
        try:
            return layout.migrate(connection, database, key)
        finally:
            connection.close()

    async def load(self, key: GrantKey) -> Record | None:
        """Return the record, None where there is none."""

        async def work(session: Session) -> Record | None:
            return self._opened(key, await layout.row(session, key.digest))

        if held := self._held_line(key):
            return await held.run(work)
        return await self._apart(self._reading.run(work))

    async def save(self, key: GrantKey, record: Record, *, beyond: int = 0) -> Record:
        """Save durably and return the record with its new version."""
        saved = replace(record, version=max(record.version, beyond) + 1)
        new = seal(self._cipher, key, saved)

        async def work(session: Session) -> Record:
            stored = await layout.row(session, key.digest)
            if stored == new:
                return saved  # an earlier try arrived, and only its answer was lost
            # Authenticated before its version is believed: a record that cannot
            # be read is never overwritten.
            found = self._opened(key, stored)
            version = 0 if found is None else found.version
            if record.version != version:
                raise StoreConflict(
                    f"record {key.digest[:8]} has version {version}, "
                    f"and this one was made from {record.version}",
                )
            await layout.replace_row(session, self._database, key.digest, stored, new)
            return saved

        line = self._held_line(key) or self._reading
        try:
            return await self._ended(line.run(work))
        finally:
            self._news.doubt()

    @asynccontextmanager
    async def exclusive(self, key: GrantKey) -> AsyncIterator[None]:
        """Hold the grant alone among all processes that share the database."""
        line = Line(
            self._server, self._timing, self._locked(key), idle=self._timing.idle
        )
        holder = key.digest, asyncio.current_task()
        await line.open()
        beat = self._tasks.spawn(line.beat(), name="hold a lock")
        self._held[holder] = line
        try:
            yield
        finally:
            del self._held[holder]
            beat.cancel()
            # A holder that is cancelled now as well leaves no lock behind.
            await self._ended(_released(line, beat))

    async def generation(self) -> int:
        """Return the number of saves, as heard of or asked."""
        return await self._news.generation()

    async def examine(self) -> tuple[Examined, ...]:
        """Open every record, and change none."""

        async def work(session: Session) -> tuple[Examined, ...]:
            return tuple(
                examined(self._cipher, digest, row, remedy=self._remedy)
                for digest, row in await layout.rows(session)
            )

        return await self._apart(self._reading.run(work))

    async def rescue(self, key: GrantKey, record: Record) -> str:
        """Write an emergency copy on this machine, and return its path."""
        work = asyncio.to_thread(self._rescue.write, key, record)
        return await self._ended(work)

    async def rescued(self, key: GrantKey) -> Rescued:
        """Return the emergency copies of this machine."""
        return await self._ended(asyncio.to_thread(self._rescue.read, key))

    async def forget_rescued(
        self, key: GrantKey, forgettable: Callable[[Record], bool]
    ) -> None:
        """Remove the copies of this machine that can be read and are *forgettable*."""
        await self._ended(asyncio.to_thread(self._rescue.forget, key, forgettable))

    async def close(self) -> None:
        """End every session but those of locks that are held."""
        await self._news.close()
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked)
        await self._reading.close()

    # -- sessions -----------------------------------------------------------

    def _held_line(self, key: GrantKey) -> Line | None:
        return self._held.get((key.digest, asyncio.current_task()))

    async def _checked(self, session: Session) -> None:
        await layout.check(session, self._database, self._check)

    def _locked(self, key: GrantKey) -> Callable[[Session], Awaitable[None]]:
        number = lock_number(key.digest)
        first = True

        async def begin(session: Session) -> None:
            nonlocal first
            await self._checked(session)
            await session.fetch(_LIMIT, ["0"])
            if first:
                await session.fetch(_LOCK, [number], patience=float("inf"))
                first = False
            else:
                await self._relock(session, number)
            await session.fetch(_LIMIT, [self._timing.statement_timeout])

        return begin

    async def _relock(self, session: Session, number: int) -> None:
        try:
            await session.fetch(_LOCK, [number], patience=self._timing.relock)
        except StoreError as error:
            raise StoreError(
                f"the lock of a grant was lost, and not had again: {error.message}",
                hint=error.hint,
            ) from None

    async def _ask_generation(self) -> int:
        asked = self._reading.run(layout.generation, patience=0.0)
        return await self._apart(asked)

    async def _apart[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Let *work* go on although its caller is cancelled: it harms nobody."""
        return await asyncio.shield(self._spawned(work))

    async def _ended[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work* to its end, also where its caller is cancelled meanwhile."""
        task = self._spawned(work)
        cancelled = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return task.result()

    def _spawned[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name="use the store")
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        # Told to nobody where the caller has gone.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    # -- records ------------------------------------------------------------

    def _opened(self, key: GrantKey, row: Row | None) -> Record | None:
        if row is None:
            return None
        return unseal(self._cipher, key, row, remedy=self._remedy(key.digest))

    def _remedy(self, digest: str) -> str:
        # A text for people; a digest is hexadecimal.
        forget = f"DELETE FROM everbearer.records WHERE digest = '{digest}'"  # noqa: S608 -- see above
        psql = f'psql {quote(str(self._database))} -c "{forget}"'
        return (
            "bring the database back from a copy; or forget the record, so that its "
            f"grant starts from its seed: {psql}"
        )


async def _released(line: Line, beat: asyncio.Task[None]) -> None:
    try:
        await asyncio.wait([beat])
    finally:
        await line.close()


def lock_number(digest: str) -> int:
    """Return the advisory lock of a grant: 64 bits that nobody else will use."""
    named = hashlib.sha256(f"everbearer lock {digest}".encode()).digest()
    return int.from_bytes(named[:8], signed=True)
