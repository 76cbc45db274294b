"""
Emergency copies: a second way to the disk for what a store cannot take now.

The copy of a grant's record is a file of its own, sealed with the store's key and
bound to its grant and version as the record itself. It lies beside the store, or
where that fails too in another folder of the user's, and each is looked at when
a copy is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.stores import private
from everbearer.stores.codec import Row, seal, unseal
from everbearer.stores.contract import Rescued

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.contract import GrantKey, Record

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
        for path in self._paths(key):
            try:
                self._write(path, key, content)
            except StoreError as error:
                failures.append(error)
            else:
                return str(path)
        reasons = "; ".join(error.message for error in failures)
        raise StoreError(reasons, hint=failures[0].hint)

    def read(self, key: GrantKey) -> Rescued:
        """Return the newest copy, and what is wrong with those that cannot be read."""
        newest, unreadable = Rescued(), []
        for path in self._paths(key):
            try:
                record = self._read(path, key)
            except StoreError as error:
                unreadable.append(error)
                continue
            if record is not None and (
                newest.record is None or _age(record) > _age(newest.record)
            ):
                newest = Rescued(record, str(path))
        return Rescued(newest.record, newest.where, tuple(unreadable))

    def forget(self, key: GrantKey) -> None:
        """Remove the copies that can be read."""
        for path in self._paths(key):
            try:
                there = self._read(path, key) is not None
            except StoreError:
                continue
            if there:
                with private.os_errors(path):
                    path.unlink(missing_ok=True)
                    private.sync_folder(path.parent)

    def _paths(self, key: GrantKey) -> tuple[Path, ...]:
        return tuple(p.with_name(f"{p.name}.{key.digest}") for p in self._places)

    def _write(self, path: Path, key: GrantKey, content: bytes) -> None:
        folder = path.parent
        private.make_folder(folder)
        private.check_folder(folder)
        # Raises for one that cannot be read: it may be the last of its chain.
        there = self._read(path, key) is not None
        with private.os_errors(path):
            private.make_file(path, content, replace=there)
            private.sync_folder(folder.parent)  # the folder may be new

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


def _age(record: Record) -> tuple[int, float]:
    return record.version, record.issued_at
