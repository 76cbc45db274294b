"""
A file of lines that several processes append to, and that none of them loses.

A line is one `write` to a file opened for appending, so lines of several processes
do not mix. At its greatest size the file gets the name `FILE.1`, `FILE.1` that of
`FILE.2`, and so on. Nobody waits for anybody: who still has the old file open
writes there, and sees before its next line that there is another.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MODE: Final = 0o600
_FOLDER: Final = 0o700


class LineFile:
    """
    Lines appended to *path*, which a file leaves at *max_size* bytes.

    *keep* older files stay. A local file system is expected: on others appending
    is not atomic.
    """

    def __init__(self, path: Path, max_size: int, keep: int) -> None:
        self._path = path
        self._max_size = max_size
        self._keep = keep
        self._file: int | None = None
        self._is: os.stat_result | None = None
        self._torn = False

    def append(self, line: bytes) -> None:
        """
        Append *line*; raises OSError where it cannot, and then nothing of it stays.

        Does not wait for the disk: what the system has taken survives this process,
        not the machine.
        """
        file = self._current(len(line))
        if self._torn:  # what could not be taken back ends here
            line = b"\n" + line
        written = os.write(file, line)
        if written == len(line):
            self._torn = False
            return
        end = os.lseek(file, 0, os.SEEK_CUR)
        self._torn = os.fstat(file).st_size != end  # another line follows already
        if not self._torn:
            os.ftruncate(file, end - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def open(self) -> None:
        """Make the file if there is none; OSError where it cannot be written."""
        self._current(0)

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = self._is = None

    def _current(self, more: int) -> int:
        """Return the file that has the name now, and room for *more* bytes."""
        size = 0
        if self._file is not None:
            named = self._named()  # one question, for each line
            if named is None or not os.path.samestat(named, self._of(self._file)):
                self.close()
            else:
                size = named.st_size
        if self._file is None:
            self._file = self._open()
            size = os.fstat(self._file).st_size
        if size and size + more > self._max_size and self._make_way(self._file):
            self.close()
            self._file = self._open()
        return self._file

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self._path, flags, _MODE)
        except FileNotFoundError:
            self._path.parent.mkdir(_FOLDER, parents=True, exist_ok=True)
            return os.open(self._path, flags, _MODE)

    def _of(self, file: int) -> os.stat_result:
        """Return which file it is, which stays so; its size is that of the start."""
        if self._is is None:
            self._is = os.fstat(file)
        return self._is

    def _named(self) -> os.stat_result | None:
        """Return which file has the name now."""
        try:
            return os.stat(self._path)  # noqa: PTH116 - a third of its time, for each line
        except FileNotFoundError:
            return None

    def _has_the_name(self, file: int) -> bool:
        named = self._named()
        return named is not None and os.path.samestat(named, self._of(file))

    def _make_way(self, file: int) -> bool:
        """Give the names on, unless somebody else does it just now."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Closing the file unlocks it.
        if not self._has_the_name(file):
            return True
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))
        return True

    def _numbered(self, number: int) -> Path:
        if number == 0:
            return self._path
        return self._path.with_name(f"{self._path.name}.{number}")
