"""Files that pass away with the process that made them."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def passing_file(folder: Path, prefix: str, suffix: str) -> Iterator[Path]:
    """
    Give an empty file in *folder*, which is removed in the end.

    Its maker holds a lock on it, which the kernel lets go of however he ends:
    what killed ones have left is removed by the next who comes. The folder is
    made 0700, and refused where it is wider: raises StoreError.
    """
    private.make_folder(folder)
    private.check_folder(folder)
    with ExitStack() as held:
        with private.os_errors(folder):
            path = _made(folder, prefix, suffix, held)
        held.callback(path.unlink, missing_ok=True)
        yield path


def living(folder: Path, prefix: str, suffix: str) -> list[Path]:
    """
    Return such files of those who live, the newest first; others are removed.

    Raises StoreError where others can write to the folder.
    """
    if not folder.exists():
        return []
    private.check_folder(folder)
    with private.os_errors(folder), _alone(folder):
        found = list(folder.glob(f"{prefix}*{suffix}"))
        for path in found:
            _remove_if_dead(path)
        left = [path for path in found if path.exists()]
        return sorted(left, key=lambda path: path.stat().st_mtime_ns, reverse=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from making files or removing dead ones."""
    from filelock import lock_descriptor  # noqa: PLC0415 - see locks

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    alone = os.open(folder / "lock", flags, 0o600)
    try:
        lock_descriptor(alone)
        yield
    finally:
        os.close(alone)


def _made(folder: Path, prefix: str, suffix: str, held: ExitStack) -> Path:
    """Make the file, locked until *held* is closed."""
    from filelock import lock_descriptor  # noqa: PLC0415 - see locks

    # Nobody may take for dead who has made his file and not locked it yet.
    with _alone(folder):
        for path in folder.glob(f"{prefix}*{suffix}"):
            _remove_if_dead(path)
        descriptor, name = tempfile.mkstemp(suffix, prefix, folder)
        held.callback(os.close, descriptor)
        lock_descriptor(descriptor, blocking=False)
    return Path(name)


def _remove_if_dead(path: Path) -> None:
    from filelock import lock_descriptor  # noqa: PLC0415 - see locks

    with suppress(OSError), path.open("r+b") as file:
        if lock_descriptor(file.fileno(), blocking=False):
            path.unlink()
