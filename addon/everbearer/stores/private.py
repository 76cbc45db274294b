"""
Files and folders that nobody but their owner can use.

Modes are set on what is made here, whatever the umask. What is found with a
wider mode, or belongs to somebody else, is refused and never corrected: who
could read it may have done so.
"""

from __future__ import annotations

import os
import secrets
import shlex
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FOLDER: Final = 0o700
_FILE: Final = 0o600
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


def make_folder(folder: Path) -> None:
    """Make *folder* and those above it that are missing, each with mode 0700."""
    with os_errors(folder):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            with suppress(FileExistsError):
                each.mkdir(_FOLDER)
                each.chmod(_FOLDER)


def check_folder(folder: Path) -> None:
    """Raise StoreError unless *folder* is one with mode 0700 or less, and ours."""
    with os_errors(folder):
        info = folder.stat()
    if not stat.S_ISDIR(info.st_mode):
        raise StoreError(f"{folder} is not a folder", hint="move it away")
    check_owner(folder, info)
    _check_mode(folder, info, _OTHERS, f"chmod {_FOLDER:o}")


def check_unwritable(folder: Path) -> None:
    """Raise StoreError where others than the owner can write to *folder*."""
    with os_errors(folder):
        info = folder.stat()
    _check_mode(folder, info, _OTHERS_WRITE, "chmod go-w")


def check_file(path: Path, info: os.stat_result) -> None:
    """Raise StoreError unless *info* is that of a file with mode 0600, and ours."""
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{path} is not a file", hint="move it away")
    check_owner(path, info)
    _check_mode(path, info, _OTHERS, f"chmod {_FILE:o}")


def check_owner(path: Path, info: os.stat_result) -> None:
    """Raise StoreError unless *path* belongs to the user of this process."""
    if info.st_uid != os.geteuid():
        raise StoreError(
            f"{path} belongs to the user with uid {info.st_uid}, "
            f"and this process runs as uid {os.geteuid()}",
            hint="run everbearer as its owner",
        )


def make_file(
    path: Path,
    content: bytes = b"",
    *,
    replace: bool = False,
    sync: Callable[[int], None] = os.fsync,
) -> None:
    """
    Make the file *path*, durably and in one step: nobody sees a part of it.

    Without *replace* raises FileExistsError for anything that is there, a
    symbolic link included. *sync* waits until a descriptor's file is on disk.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(
            draft, "wb", opener=lambda name, _: os.open(name, flags, _FILE)
        ) as file:
            os.fchmod(file.fileno(), _FILE)
            file.write(content)
            file.flush()
            sync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent, sync=sync)


def sync_folder(folder: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
    """Wait until the names in *folder* are on disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system raises into a StoreError that names *path*."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise StoreError(
            f"{path} cannot be used: {reason}",
            hint=f"look at: ls -ld {shlex.quote(str(path))}",
        ) from error


def _check_mode(path: Path, info: os.stat_result, refused: int, fix: str) -> None:
    mode = stat.S_IMODE(info.st_mode)
    if mode & refused:
        raise StoreError(
            f"{path} has mode {mode:04o}, which lets other users in",
            hint=f"run: {fix} {shlex.quote(str(path))}",
        )
