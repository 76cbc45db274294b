"""
Emergency copies: a second way to the disk for what a store cannot take now.

A copy of a grant's record is a file of its own, sealed with the store's key and
bound to its grant and version as the record itself. There are several where nobody
knows which is needed, and none ever takes another's place. It lies beside the store, or
where that fails too in another folder of the user's, and each is looked at when
a copy is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.stores import private
from everbearer.stores.codec import Row, seal, unseal
from everbearer.stores.contract import Copy, Rescued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.contract import GrantKey, Record

_MOST: Final = 100
"""Copies of one grant in one place; one is the rule."""

_LONGEST_FILE: Final = 1 << 20
"""Bytes; a record is a few thousand, and something else is not read to its end."""


def apart(folder: Path, store: str) -> Path:
    """
    Return a place in *folder*, where the copies of several stores may lie.

    *store* names the one they belong to, without a secret.
    """
    return folder / hashlib.sha256(store.encode()).hexdigest()[:16]


class Rescue:
    """
    The emergency copies of one store, sealed by its *cipher*.

    *places* in the order in which they are tried; a place is a folder and the
    beginning of the files' names there. All methods block.
    """

    def __init__(self, places: tuple[Path, ...], cipher: Cipher) -> None:
        self._places = places
        self._cipher = cipher

    def write(self, key: GrantKey, record: Record) -> str:
        """
        Write a copy in the first place that takes it, durably; return its path.

        Raises StoreError, with the reasons of all, where none does.
        """
        row = seal(self._cipher, key, record)
        sealed = base64.b64encode(row.sealed).decode("ascii")
        document = {"version": row.version, "schema": row.schema, "sealed": sealed}
        content = json.dumps(document).encode("ascii") + b"\n"
        failures: list[StoreError] = []
        for place in self._places:
            try:
                return str(self._write(place, key, record, content))
            except StoreError as error:
                failures.append(error)
        reasons = "; ".join(error.message for error in failures)
        raise StoreError(reasons, hint=failures[0].hint)

    def read(self, key: GrantKey) -> Rescued:
        """Return the copies, and what is wrong with those that cannot be read."""
        copies, unreadable = [], []
        for place in self._places:
            try:
                paths = _paths(place, key)
            except StoreError as error:
                unreadable.append(error)
                continue
            for path in paths:
                try:
                    record = self._read(path, key)
                except StoreError as error:
                    unreadable.append(error)
                    continue
                if record is not None:
                    copies.append(Copy(record, str(path)))
        return Rescued(newest_first(copies), tuple(unreadable))

    def forget(self, key: GrantKey, forgettable: Callable[[Record], bool]) -> None:
        """Remove the copies that can be read and are *forgettable*."""
        for copy in self.read(key).copies:
            if forgettable(copy.record):
                path = Path(copy.where)
                with private.os_errors(path):
                    path.unlink(missing_ok=True)
                    private.sync_folder(path.parent)

    def _write(
        self, place: Path, key: GrantKey, record: Record, content: bytes
    ) -> Path:
        folder = place.parent
        private.make_folder(folder)
        private.check_folder(folder)
        same = same_refresh_token(record)
        for number in range(_MOST):
            path = place.with_name(_name(place, key, number))
            try:
                there = self._read(path, key)
            except StoreError:
                continue  # it may be the last of its chain
            if there is None or same(there):
                with private.os_errors(path), suppress(FileExistsError):
                    private.make_file(path, content, replace=there is not None)
                    private.sync_folder(folder.parent)  # the folder may be new
                    return path
        raise StoreError(
            f"{folder} has {_MOST} emergency copies of one grant",
            hint=f"look at: ls -l {quote(str(folder))}; and move them away",
        )

    def _read(self, path: Path, key: GrantKey) -> Record | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with private.os_errors(path):
            try:
                descriptor = os.open(path, flags)
            except FileNotFoundError:
                return None
            try:
                private.check_file(path, os.fstat(descriptor))
                content = _content(descriptor)
            finally:
                os.close(descriptor)
        try:
            document = json.loads(content)
            sealed = base64.b64decode(document["sealed"], validate=True)
            row = Row(int(document["version"]), int(document["schema"]), sealed)
            return unseal(self._cipher, key, row, remedy=_REMEDY)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            reason, hint = "it is damaged", _REMEDY
        except StoreError as error:
            reason, hint = error.message, error.hint
        raise StoreError(
            f"the emergency copy {path} cannot be read: {reason}", hint=hint
        )


_REMEDY: Final = (
    "bring it back from a copy, or move it away: it may hold the only refresh token"
    " that the server still takes"
)


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(_LONGEST_FILE)


def newest_first(copies: Iterable[Copy]) -> tuple[Copy, ...]:
    """Return *copies* in the order of the versions that they were made from."""

    def age(copy: Copy) -> tuple[int, float]:
        return copy.record.version, copy.record.issued_at

    return tuple(sorted(copies, key=age, reverse=True))


def same_refresh_token(record: Record) -> Callable[[Record], bool]:
    """Return what tells whether a copy loses nothing by *record* in its place."""
    return lambda copy: copy.refresh_token in {None, record.refresh_token}


def _name(place: Path, key: GrantKey, number: int) -> str:
    return f"{place.name}.{key.digest}" + (f".{number}" if number else "")


def _paths(place: Path, key: GrantKey) -> list[Path]:
    """Return where copies lie."""
    names = {_name(place, key, number) for number in range(_MOST)}
    with private.os_errors(place.parent):
        try:
            return sorted(p for p in place.parent.iterdir() if p.name in names)
        except FileNotFoundError:
            return []
