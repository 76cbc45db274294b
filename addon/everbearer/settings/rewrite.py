"""Replace the configuration: whole or not at all, and no edit of others lost."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.errors import reason_of
from everbearer.settings.files import read_configuration
from everbearer.settings.problems import Mistake
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AGAIN = "look at it and try again; nothing was written"


@dataclass(frozen=True, slots=True)
class Found:
    """The file as it was found: `content` is None where there is none yet."""

    path: Path
    target: Path
    content: bytes | None


def look(path: Path, uid: int) -> Found:
    """
    Return the file as it is, a symbolic link followed.

    Raises Mistake where it may not be trusted, as when it is read, or is a link
    to nothing.
    """
    if not path.exists():
        if path.is_symlink():
            raise Mistake(
                f"{path} is a symbolic link to nothing",
                "remove it, or make the file that it names",
            )
        return Found(path, path, None)
    content = read_configuration(path, uid).content
    return Found(path, path.resolve(), content)


def replace(found: Found, content: bytes) -> None:
    """
    Write *content* in place of what was found; owner and mode stay.

    The new file is on disk before it takes the old one's name. Raises Mistake,
    and leaves everything as it is, where the old one has changed meanwhile.
    """
    with _told(found.target), _alone(found.target.parent):
        if found.content is None:
            try:
                private.make_file(found.target, content)
            except FileExistsError:
                raise Mistake(f"{found.path} was made meanwhile", _AGAIN) from None
            return
        draft = _draft(found, content)
        try:
            if (
                found.path.resolve() != found.target
                or found.target.read_bytes() != found.content
            ):
                raise Mistake(f"{found.path} was changed meanwhile", _AGAIN)
            draft.replace(found.target)
        finally:
            draft.unlink(missing_ok=True)
        private.sync_folder(found.target.parent)


def _draft(found: Found, content: bytes) -> Path:
    """Make the new file beside the old one, like it in owner and mode."""
    status = found.target.stat()
    if not status.st_mode & stat.S_IWUSR:
        raise Mistake(
            f"{found.path} is not to be written",
            f"run: chmod u+w {shlex.quote(str(found.path))}",
        )
    draft = found.target.with_name(f".{found.target.name}.{secrets.token_hex(8)}")
    try:
        private.make_file(draft, content)
        made = draft.stat()
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            os.chown(draft, status.st_uid, status.st_gid)
        draft.chmod(stat.S_IMODE(status.st_mode))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others of our kind out of the folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise Mistake(
            f"{path} cannot be written ({reason})",
            f"look at: ls -ld {shlex.quote(str(path.parent))}",
        ) from error
