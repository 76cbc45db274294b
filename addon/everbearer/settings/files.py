"""
Files that may be trusted, because nobody else can write (or read) them.

Everything is judged on the open file, so that what was judged is what is read.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tomli

from everbearer.errors import StoreError
from everbearer.settings.problems import Mistake
from everbearer.stores import private

if TYPE_CHECKING:
    from pathlib import Path

MAX_CONFIGURATION: Final = 1024 * 1024
MAX_SECRET: Final = 64 * 1024

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_LEAD_ASTRAY: Final = "have tokens go elsewhere"
_CHANGE_IT: Final = "change the log"

_FIRST_STEPS: Final = (
    "make one, with: everbearer init (or everbearer import); or name yours with"
    " --config or $EVERBEARER_CONFIG"
)


@dataclass(frozen=True, slots=True)
class Source:
    """The configuration file: its content, and whether others can read it."""

    content: bytes
    readable_by_others: bool


def read_configuration(path: Path, uid: int) -> Source:
    """
    Read the configuration file.

    Raises Mistake unless the file and every folder above it belong to `uid`
    or root and are writable by nobody else; a sticky folder (`/tmp`) is safe,
    for others cannot replace what lies in it.
    """
    content, status = _read(path, MAX_CONFIGURATION, if_missing=_FIRST_STEPS)
    _refuse_foreign(path, status, uid)
    check_folders(path, uid)
    readable = status.st_mode & (stat.S_IRGRP | stat.S_IROTH)
    return Source(content, readable_by_others=bool(readable))


def check_folders(
    path: Path, uid: int, others: int = _OTHERS_WRITE, could: str = _LEAD_ASTRAY
) -> None:
    """
    Raise Mistake unless every folder above the file that exists is as above.

    *others* are the bits of its mode that are refused, *could* says why.
    """
    for folder in _folders_above(path):
        if folder.exists():
            _refuse_foreign(folder, folder.stat(), uid, others, could)


def read_secret(path: Path, uid: int) -> str:
    """
    Return the text of a file that holds a secret, without its last line break.

    Raises Mistake unless it is a regular file of `uid` or root that nobody
    else can read or write.
    """
    content, status = _read(path, MAX_SECRET)
    _refuse_owner(path, status, uid)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Mistake(f"{path} is open to others", f"run: chmod 600 {_sh(path)}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # Without the cause: it holds the content.
        raise Mistake(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def read_foreign(path: Path) -> str:
    """
    Return the text of another program's file, whoever owns it.

    Raises Mistake unless it is a regular file of UTF-8 text.
    """
    content, _ = _read(path, MAX_CONFIGURATION, if_missing="name the right file")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not UTF-8 text", "name the right file") from None


def read_certificates(path: Path, uid: int) -> bytes:
    """
    Return the content of a file that says whom to trust.

    Raises Mistake unless it belongs to `uid` or root and nobody else can write
    it.
    """
    content, status = _read(path, MAX_CONFIGURATION)
    _refuse_foreign(path, status, uid)
    return content


def open_log(path: Path, uid: int, *, make: bool = True) -> int:
    """
    Open a file that lines are appended to; if there is none, *make* it.

    Raises Mistake unless it is a regular file of `uid` or root, under one name,
    that nobody else can write and only its group can read, and every folder above
    it belongs to them and is not open to everybody. A group may share the folder,
    as that of /var/log does: what it puts there is not taken for ours. OSError
    where the operating system refuses.
    """
    check_folders(path, uid, stat.S_IWOTH, _CHANGE_IT)
    file = _opened_log(path, make=make)
    try:
        _refuse_log(path, os.fstat(file), uid)
    except BaseException:
        os.close(file)
        raise
    return file


def _opened_log(path: Path, *, make: bool) -> int:
    # Without O_NONBLOCK, opening a named pipe would wait for its reader.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    flags |= os.O_CREAT if make else 0
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a pipe that nobody reads, or a socket
            raise _irregular(path) from None
        if error.errno != errno.ENOENT or not make:
            raise
    try:
        private.make_folder(path.parent)
    except StoreError as error:
        raise Mistake(error.message, error.hint) from None
    return os.open(path, flags, 0o600)


def parse_toml(path: Path, content: bytes) -> dict[str, object]:
    """Return the document; raises Mistake with the line of the first mistake."""
    try:
        return tomli.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistake(
            f"{path} is not UTF-8 text in line {line}", "save it as UTF-8"
        ) from None
    except tomli.TOMLDecodeError as error:
        # Only the parser's own words: the document holds secrets.
        raise Mistake(
            f"{path} is not TOML in line {error.lineno}, column {error.colno}:"
            f" {error.msg[:1].lower()}{error.msg[1:]}",
            "correct that line (the format: https://toml.io)",
        ) from None
    except (RecursionError, ValueError):
        raise Mistake(
            f"{path} nests too deeply or holds a number beyond all bounds",
            "a configuration needs neither",
        ) from None


def _read(
    path: Path, limit: int, if_missing: str = "create it, or name another"
) -> tuple[bytes, os.stat_result]:
    try:
        with open(path, "rb", opener=_opener) as file:
            status = os.fstat(file.fileno())
            regular = stat.S_ISREG(status.st_mode)
            content = file.read(limit + 1) if regular else b""
    except FileNotFoundError:
        raise Mistake(f"{path} does not exist", if_missing) from None
    except IsADirectoryError:
        raise Mistake(f"{path} is a folder", "name the file in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise Mistake(
            f"{path} cannot be opened ({(reason or 'unknown reason').lower()})",
            f"look at: ls -ld {_sh(path)}",
        ) from None
    if not regular:
        raise _irregular(path)
    if len(content) > limit:
        raise Mistake(
            f"{path} is larger than {limit // 1024} KiB", "name the right file"
        )
    return content, status


def _opener(name: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe would wait for its writer.
    return os.open(name, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _folders_above(path: Path) -> list[Path]:
    # Both ways to the file: who can write beside a link can point it elsewhere.
    try:
        real = path.resolve()
    except RuntimeError:  # Python 3.12; later ones leave it to who opens it
        raise Mistake(f"{path} leads back to itself", "name the file itself") from None
    return sorted({*path.absolute().parents, *real.parents})


def _refuse_foreign(
    path: Path,
    status: os.stat_result,
    uid: int,
    others: int = _OTHERS_WRITE,
    could: str = _LEAD_ASTRAY,
) -> None:
    _refuse_owner(path, status, uid)
    sticky_folder = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & others and not sticky_folder:
        who = "go" if others & stat.S_IWGRP else "o"
        raise Mistake(
            f"{path} is writable by others, who could {could}",
            f"run: chmod {who}-w {_sh(path)}",
        )


def _refuse_log(path: Path, status: os.stat_result, uid: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _irregular(path)
    _refuse_foreign(path, status, uid, could=_CHANGE_IT)
    if status.st_mode & stat.S_IROTH:
        raise Mistake(
            f"{path} is readable by others, and tells who asked for what",
            f"run: chmod o= {_sh(path)}",
        )
    if status.st_nlink > 1:
        raise Mistake(
            f"{path} has another name too (a hard link), and may be another file",
            "move it away: the next line begins a new one",
        )


def _refuse_owner(path: Path, status: os.stat_result, uid: int) -> None:
    if status.st_uid not in (0, uid):
        raise Mistake(
            f"{path} belongs to another user (id {status.st_uid})",
            f"use a file of your own, or run: sudo chown {uid} {_sh(path)}",
        )


def _irregular(path: Path) -> Mistake:
    return Mistake(f"{path} is not a regular file", "name a regular file")


def _sh(path: Path) -> str:
    return shlex.quote(str(path))
