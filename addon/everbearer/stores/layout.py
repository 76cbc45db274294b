"""
The SQLite file: its tables, how it is made and how it is recognised.

A file and its key are made in one transaction, whose lock lets one process at a
time do so and falls when it dies. Nothing is written to a file that is another
program's, a newer everbearer's, or sealed with a key that is not at hand.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.stores.cipher import Cipher
from everbearer.stores.codec import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from everbearer.stores.keys import KeyPlace

# PRAGMA application_id and user_version: whose file, and which tables.
_APPLICATION: Final = int.from_bytes(b"ever")
_VERSION: Final = 1
_TABLES: Final = (
    "CREATE TABLE store (key_kind TEXT, key_check BLOB, generation INTEGER)",
    """CREATE TABLE records (
        digest TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        schema INTEGER NOT NULL,
        sealed BLOB NOT NULL
    )""",
)
_CHECK: Final = b"everbearer"

_REPLACE: Final = (
    "bring it back from a copy, or move it away: every grant then starts from its seed"
)

_REASONS: Final = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another process",
        "stop what holds it: a backup, or an open sqlite3",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "it and its folder must be readable and writable",
    ),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _REPLACE),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free some space"),
    sqlite3.SQLITE_NOTADB: (
        "is not a store: SQLite does not recognise it",
        _REPLACE,
    ),
    sqlite3.SQLITE_READONLY: (
        "cannot be written",
        "it and its folder must be writable",
    ),
    sqlite3.SQLITE_READONLY_DBMOVED: (
        "was removed or replaced while in use",
        "start everbearer again",
    ),
}


def prepare(connection: sqlite3.Connection, path: Path, key: KeyPlace) -> Cipher:
    """Make the file's tables and key where it is empty; return its cipher."""
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA fullfsync = ON")  # on macOS, fsync alone promises less
    with transaction(connection):
        if _is_new(connection, path):
            _make(connection, key)
    connection.execute("PRAGMA journal_mode = DELETE")
    return _cipher(connection, path, key)


def row(connection: sqlite3.Connection, digest: str) -> Row | None:
    """Return the row of *digest*."""
    found = connection.execute(
        "SELECT CAST(version AS INTEGER), CAST(schema AS INTEGER),"
        " CAST(sealed AS BLOB) FROM records WHERE digest = ?",
        (digest,),
    ).fetchone()
    return None if found is None else Row(*found)


def put(connection: sqlite3.Connection, digest: str, row: Row) -> None:
    """Insert or replace the row of *digest*, and count the save."""
    connection.execute(
        "INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET version = excluded.version, schema = excluded.schema,"
        " sealed = excluded.sealed",
        (digest, row.version, row.schema, row.sealed),
    )
    connection.execute("UPDATE store SET generation = generation + 1")


def generation(connection: sqlite3.Connection) -> int:
    """Return the number of saves."""
    # total() is a number whatever a damaged file holds.
    (count,) = connection.execute("SELECT total(generation) FROM store").fetchone()
    return int(count)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the file's write lock from the first statement to the commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back some failures
            connection.execute("ROLLBACK")
        raise


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that names *path* and the fix."""
    try:
        yield
    except UnicodeDecodeError as error:  # of SQLite's own message about a damaged name
        raise StoreError(f"{path} is damaged", hint=_REPLACE) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        reason, hint = (
            _REASONS.get(code)
            or _REASONS.get(code & 0xFF)  # the primary code of an extended one
            or (f"cannot be used: {name}", None)
        )
        raise StoreError(f"{path} {reason}", hint=hint) from error


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether the file is empty; StoreError where it is not a store of ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == version == tables == 0:
        return True
    if application != _APPLICATION:
        raise StoreError(
            f"{path} is a database, but not a store of everbearer",
            hint="name another file in [store] url",
        )
    if version > _VERSION:
        raise StoreError(
            f"{path} was made by a newer everbearer "
            f"(layout {version}, this one knows {_VERSION})",
            hint="use the newer everbearer, or name another file in [store] url",
        )
    return False


def _make(connection: sqlite3.Connection, key: KeyPlace) -> None:
    # A key that is there already was made for this file by a process that died
    # before its commit, or is kept by the user.
    cipher = Cipher(key.read() or key.make())
    for table in _TABLES:
        connection.execute(table)
    connection.execute(
        "INSERT INTO store VALUES (?, ?, 0)",
        (key.kind, cipher.seal(_CHECK, _associated(key.kind))),
    )
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _cipher(connection: sqlite3.Connection, path: Path, key: KeyPlace) -> Cipher:
    """Return the cipher of the file; StoreError unless *key* is the file's own."""
    found = connection.execute("SELECT key_kind, key_check FROM store").fetchone()
    kind, check = found or (None, None)
    if not isinstance(kind, str) or not isinstance(check, bytes):
        raise StoreError(f"{path} is damaged: it does not tell its key", hint=_REPLACE)
    if kind != key.kind:
        raise StoreError(
            f"{path} was made with a key of the kind {kind}, "
            f"and the configuration names {key}",
            hint=f"set [store] key to the {kind} that has it",
        )
    secret = key.read()
    if secret is None:
        (count,) = connection.execute("SELECT count(*) FROM records").fetchone()
        raise StoreError(
            f"the key of {path} is missing: {key}; without it the {count} records "
            "there cannot be read, and no other key is made for them",
            hint="bring the key back from a copy, or move the store away: "
            "every grant then needs its seed again, and every login is made again",
        )
    cipher = Cipher(secret)
    try:
        cipher.open(check, _associated(kind))
    except StoreError:
        raise StoreError(
            f"{key} holds another key than the one {path} was made with",
            hint="bring the right key back, or name the store that this key is for",
        ) from None
    return cipher


def _associated(kind: str) -> bytes:
    return json.dumps(["key check", kind]).encode("ascii")
