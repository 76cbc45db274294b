"""Request bodies kept for one replay: memory first, then an unlinked file."""

from __future__ import annotations

import contextlib
import tempfile
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY: Final = 256 * 1024
"""Bytes of one body that stay in memory before a file is made."""

_CHUNK: Final = 256 * 1024


class Budget:
    """Bytes that all spools together may hold."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> bool:
        """Take *size* bytes; False, and nothing taken, where that is too much."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self.used -= size


class Spool:
    """
    The body of one request as it passes by.

    `write` never raises: a body that cannot be kept (too long, no room, a full
    disk) makes the spool `broken`, gives back what it held, and the request
    merely cannot be replayed. The file is unlinked from its birth and 0600.
    """

    __slots__ = ("_budget", "_file", "_limit", "broken", "size")

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._file: IO[bytes] | None = None
        self.size = 0
        self.broken = ""

    def write(self, chunk: bytes) -> None:
        """Keep *chunk*; after the first failure this does nothing."""
        if self.broken or not chunk:
            return
        if self.size + len(chunk) > self._limit:
            self._give_up("the body is longer than replay_body_limit")
            return
        if not self._budget.take(len(chunk)):
            self._give_up("all bodies together are longer than spool_limit")
            return
        self.size += len(chunk)
        try:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
            self._file.write(chunk)
        except OSError as error:
            self._give_up(f"the body cannot be spooled: {error.strerror}")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body from its start, in pieces of at most 256 KiB."""
        if self._file is None:
            return
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        """Free everything; may be called again."""
        self._budget.give_back(self.size)
        self.size = 0
        file, self._file = self._file, None
        if file is not None:
            # What is still pending does not fit either; the file is gone all the same.
            with contextlib.suppress(OSError):
                file.close()

    def _give_up(self, why: str) -> None:
        self.close()
        self.broken = why
