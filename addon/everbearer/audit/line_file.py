"""
A file of lines that several processes append to, and that none of them loses.

Lines are one `write` to a file opened for appending, so those of several processes
do not mix. (One case is left: the part of a line that a full disk took is cut off,
and with it what another process writes in that very moment.)

At its greatest size the file gets the name `FILE.1`, `FILE.1` that of `FILE.2`, and
so on. Nobody waits for anybody: who still has the old file open writes there, and
sees before its next line that there is another. Where names cannot be given on,
everybody goes on in the file that there is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from everbearer.settings.files import open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE: Final = 60.0
"""Seconds until names that could not be given on are tried again."""


class LineFile:
    """
    Lines appended to *path*, which a file leaves at *max_size* bytes.

    *keep* older files stay, at least one. A local file system is expected: on
    others appending is not atomic.

    `stuck` is why the file goes on beyond that size, None where it does not. What
    is found is judged whenever it is opened: Mistake where it is not ours alone.
    """

    def __init__(
        self,
        path: Path,
        max_size: int,
        keep: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.stuck: OSError | None = None
        self._max_size = max_size
        self._keep = keep
        self._clock = clock
        self._again = 0.0
        self._file: int | None = None
        self._is: os.stat_result | None = None
        self._torn = False

    def append(self, lines: bytes) -> int:
        """
        Append the first of *lines*, in one write; return the length of what stays.

        That is whole lines, as many as the file has room for, but at least one.
        Raises OSError or Mistake where not even one can be written, and then
        nothing of it stays.

        Does not wait for the disk: what the system has taken survives this process,
        not the machine.
        """
        first = lines.index(b"\n") + 1
        file, room = self._current(first)
        lines = lines[: _whole(lines, room) or first]
        begin = b"\n" if self._torn else b""  # what could not be taken back ends here
        written = os.write(file, begin + lines)
        if written == len(begin) + len(lines):
            self._torn = False
            return len(lines)
        stays = _whole(lines, max(written - len(begin), 0))
        end = os.lseek(file, 0, os.SEEK_CUR)
        self._torn = os.fstat(file).st_size != end  # another line follows already
        if not self._torn:
            os.ftruncate(file, end - written + min(len(begin) + stays, written))
        if not stays:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        return stays

    def open(self) -> None:
        """Make the file if there is none; raises as `append`."""
        self._current(0)

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = self._is = None
            self._torn = False

    def _current(self, more: int) -> tuple[int, int]:
        """Return the file for *more* bytes, and for how many it has room."""
        file, size = self._of_the_name()
        if not size or size + more <= self._max_size:
            self.stuck = None
        elif self._left(file):
            self.close()
            file, size = self._of_the_name()
        room = max(self._max_size - size, 0)
        return file, sys.maxsize if self.stuck else room

    def _of_the_name(self) -> tuple[int, int]:
        """Return the file that has the name now, and its size."""
        if self._file is not None:
            named = self._named()  # one question, for each write
            if named is not None:
                return self._file, named.st_size
            self.close()
        self._file = open_log(self.path, os.geteuid())
        self._is = os.fstat(self._file)  # which file it is stays so
        return self._file, self._is.st_size

    def _named(self) -> os.stat_result | None:
        """Return the state of our file, None where another has the name, or none."""
        try:
            named = os.stat(self.path)  # noqa: PTH116 - a third of its time, each time
        except FileNotFoundError:
            return None
        same = self._is is not None and os.path.samestat(named, self._is)
        return named if same else None

    def _left(self, file: int) -> bool:
        """Tell whether *file* has left its name; where it cannot, not at each line."""
        if self.stuck and self._clock() < self._again:
            return False
        try:
            made = self._make_way(file)
        except OSError as error:
            self.stuck = error
            self._again = self._clock() + _PAUSE
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
            return False
        if made:
            self.stuck = None
        return made

    def _make_way(self, file: int) -> bool:
        """Give the names on, unless somebody else does it just now."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Closing the file unlocks it.
        if self._named() is None:
            return True
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))
        return True

    def _numbered(self, number: int) -> Path:
        if number == 0:
            return self.path
        return self.path.with_name(f"{self.path.name}.{number}")


def _whole(lines: bytes, most: int) -> int:
    """Return the length of those whole lines that *most* bytes hold."""
    return len(lines) if len(lines) <= most else lines.rfind(b"\n", 0, most) + 1
