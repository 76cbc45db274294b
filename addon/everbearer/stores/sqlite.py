"""
The store in one SQLite file, shared by every process of the user.

The journal is SQLite's rollback journal with `synchronous=EXTRA`: a commit is on
disk, the removal of its journal included, before `save` returns. WAL would spare
some of these waits, which a few saves an hour never notice, and costs two more
files to guard, file systems without shared memory, and the check that SQLite
makes in this mode alone: that the file is still the one at its path.

Beside the file lie `locks/`, one lock a grant, and `rescue/`, the emergency copies
of what the file could not take.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreConflict
from everbearer.stores import layout, private
from everbearer.stores.codec import examined, seal, unseal
from everbearer.stores.locks import hold
from everbearer.stores.rescue import Rescue, apart

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.contract import Examined, GrantKey, Record, Rescued
    from everbearer.stores.keys import KeyPlace

# How long one process waits for another's commit, in seconds; or for the one
# that makes the store, which may be waiting for a person to unlock the keyring.
_BUSY: Final = 30.0


class SqliteStore:
    """
    Records in the SQLite file *path*, sealed by *cipher*.

    All statements run in one thread of the store's own, so no event loop waits
    for the disk; emergency copies are written in another, for a statement may hang.
    A cancelled `save` ends, done or failed, before it raises: who lets go of a
    grant leaves nothing behind that is still being written.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        cipher: Cipher,
        rescue: Rescue,
    ) -> None:
        self._path = path
        self._connection = connection
        self._cipher = cipher
        self._rescue = rescue
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="everbearer-store")
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="everbearer-copy")

    @classmethod
    def open(
        cls, path: Path, key: KeyPlace, *, elsewhere: Path | None = None
    ) -> SqliteStore:
        """
        Open the store, or make it and its key where neither file nor key is there.

        *elsewhere* is a folder for emergency copies that cannot be written beside
        the store; it is made when it is needed. Blocks; with a keyring for as
        long as a person takes to unlock it.
        """
        with private.os_errors(path):
            path = path.resolve()
        private.make_folder(path.parent)
        private.check_folder(path.parent)
        _make_or_check_file(path)
        locks = path.parent / "locks"
        private.make_folder(locks)
        private.check_folder(locks)
        with layout.sqlite_errors(path):
            connection = sqlite3.connect(
                f"{path.as_uri()}?mode=rw",  # never made by SQLite, with its mode
                uri=True,
                timeout=_BUSY,
                isolation_level=None,  # transactions begin where it says BEGIN
                check_same_thread=False,  # made here, used in the worker alone
            )
            try:
                cipher, check = layout.prepare(connection, path, key)
            except BaseException:
                connection.close()
                raise
        places = [path.parent / "rescue" / path.name]
        if elsewhere is not None:
            # By the store's own name: the file may be moved. By its path lie
            # those of older versions.
            places += [apart(elsewhere, name) for name in (check.store, str(path))]
        return cls(path, connection, cipher, Rescue(tuple(places), cipher))

    async def load(self, key: GrantKey) -> Record | None:
        """Return the record, None where there is none."""
        return await self._run(lambda: self._load(key))

    async def save(self, key: GrantKey, record: Record, *, beyond: int = 0) -> Record:
        """Save durably and return the record with its new version."""
        return await self._run(lambda: self._save(key, record, beyond))

    def exclusive(self, key: GrantKey) -> AbstractAsyncContextManager[None]:
        """Hold the grant alone among all processes of this machine."""
        return hold(self._path.parent / "locks" / f"{key.digest}.lock")

    async def generation(self) -> int:
        """Return the number of saves that the file has seen."""
        return await self._run(lambda: layout.generation(self._connection))

    async def rescue(self, key: GrantKey, record: Record) -> str:
        """Write an emergency copy, and return its path."""
        return await self._copy(lambda: self._rescue.write(key, record))

    async def rescued(self, key: GrantKey) -> Rescued:
        """Return the emergency copies."""
        return await self._copy(lambda: self._rescue.read(key))

    async def forget_rescued(
        self, key: GrantKey, forgettable: Callable[[Record], bool]
    ) -> None:
        """Remove the emergency copies that can be read and are *forgettable*."""
        await self._copy(lambda: self._rescue.forget(key, forgettable))

    async def examine(self) -> tuple[Examined, ...]:
        """Open every record, and change none."""
        return await self._run(self._examine)

    async def close(self) -> None:
        """Close the file once everything asked for has been done."""
        await self._run(self._connection.close)
        self._worker.shutdown(wait=False)
        self._copier.shutdown(wait=False)

    async def _run[T](self, work: Callable[[], T]) -> T:
        def translated() -> T:
            with layout.sqlite_errors(self._path):
                return work()

        return await self._ended(self._worker, translated)

    async def _copy[T](self, work: Callable[[], T]) -> T:
        return await self._ended(self._copier, work)

    async def _ended[T](self, worker: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Do *work* to its end, also where its caller is cancelled meanwhile."""
        done = asyncio.get_running_loop().run_in_executor(worker, work)
        cancelled = None
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            done.exception()  # told to nobody: the caller has gone
            raise cancelled
        return done.result()

    def _load(self, key: GrantKey) -> Record | None:
        row = layout.row(self._connection, key.digest)
        if row is None:
            return None
        return unseal(self._cipher, key, row, remedy=self._remedy(key.digest))

    def _examine(self) -> tuple[Examined, ...]:
        return tuple(
            examined(self._cipher, digest, row, remedy=self._remedy)
            for digest, row in layout.rows(self._connection)
        )

    def _save(self, key: GrantKey, record: Record, beyond: int) -> Record:
        with layout.transaction(self._connection):
            # Authenticated before its version is believed: a record that cannot
            # be read is never overwritten.
            stored = self._load(key)
            version = 0 if stored is None else stored.version
            if record.version != version:
                raise StoreConflict(
                    f"record {key.digest[:8]} has version {version}, "
                    f"and this one was made from {record.version}",
                )
            saved = replace(record, version=max(version, beyond) + 1)
            layout.put(self._connection, key.digest, seal(self._cipher, key, saved))
        return saved

    def _remedy(self, digest: str) -> str:
        # A text for people; a digest is hexadecimal.
        forget = f"DELETE FROM records WHERE digest = '{digest}'"  # noqa: S608 -- see above
        return (
            "bring the store back from a copy; or forget the record, so that its "
            f"grant starts from its seed: {quote(sys.executable)} -m sqlite3 "
            f'{quote(str(self._path))} "{forget}"'
        )


def _make_or_check_file(path: Path) -> None:
    # The file is never opened here but by SQLite: closing any descriptor of it
    # would drop the locks of every other connection in this process
    # (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    with private.os_errors(path):
        with suppress(FileExistsError):
            private.make_file(path)
        private.check_file(path, path.stat())
