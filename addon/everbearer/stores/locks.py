"""
Locks among all processes of a machine that die with their holder.

Each is a `flock` on a file that is never removed: where one process unlinks a
lock file on release, another that has opened it holds a lock nobody else sees.
filelock's FileLock does so in its versions 3.21 to 3.29, and where there is no
`flock` it falls back to a lock that outlives its holder; so the file is opened
here, and filelock only locks the descriptor. It is imported by who locks: most
that look into a store never do.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_POLL: Final = 0.02  # seconds


@asynccontextmanager
async def hold(path: Path) -> AsyncIterator[None]:
    """
    Hold the lock *path* alone among processes, tasks and event loops.

    Waits for ever, without blocking the loop; not re-entrant. StoreError where
    the file cannot be made or its file system has no locks.
    """
    descriptor = await _acquire(path)
    try:
        yield
    finally:
        _release(descriptor)


async def _acquire(path: Path) -> int:
    while True:
        with private.os_errors(path):
            descriptor = _open(path)
        try:
            # A kernel's lock has no event to wait for.
            while not _locked(path, descriptor):  # noqa: ASYNC110 -- see above
                await asyncio.sleep(_POLL)
            # Someone may have removed the file: then others lock a new one.
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _locked(path: Path, descriptor: int) -> bool:
    from filelock import lock_descriptor  # noqa: PLC0415 - see above

    with private.os_errors(path):
        return lock_descriptor(descriptor, blocking=False)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # whatever the umask took
    return descriptor


def _release(descriptor: int) -> None:
    from filelock import unlock_descriptor  # noqa: PLC0415 - see above

    try:
        # Closing is not enough: a child between fork and exec has a copy.
        unlock_descriptor(descriptor)
    finally:
        os.close(descriptor)
