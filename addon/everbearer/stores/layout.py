"""
The SQLite file: its tables, how it is made and how it is recognised.

A file and its key are made in one transaction, whose lock lets one process at a
time do so and falls when it dies. Nothing is written to a file that is another
program's, a newer everbearer's, or sealed with a key that is not at hand.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.stores.codec import Row
from everbearer.stores.key_check import KeyCheck, first_key, known_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.keys import KeyPlace

# PRAGMA application_id and user_version: whose file, and which tables.
_APPLICATION: Final = int.from_bytes(b"ever")
LAYOUT: Final = 1
_TABLES: Final = (
    "CREATE TABLE store (key_kind TEXT, key_check BLOB, generation INTEGER)",
    """CREATE TABLE records (
        digest TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        schema INTEGER NOT NULL,
        sealed BLOB NOT NULL
    )""",
)
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


def prepare(
    connection: sqlite3.Connection, path: Path, key: KeyPlace
) -> tuple[Cipher, KeyCheck]:
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


def rows(connection: sqlite3.Connection) -> list[tuple[str, Row]]:
    """Return every digest and its row."""
    found = connection.execute(
        "SELECT CAST(digest AS TEXT), CAST(version AS INTEGER),"
        " CAST(schema AS INTEGER), CAST(sealed AS BLOB) FROM records ORDER BY digest"
    ).fetchall()
    return [(digest, Row(*row)) for digest, *row in found]


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
    if version > LAYOUT:
        raise StoreError(
            f"{path} was made by a newer everbearer "
            f"(layout {version}, this one knows {LAYOUT})",
            hint="use the newer everbearer, or name another file in [store] url",
        )
    return False


def _make(connection: sqlite3.Connection, key: KeyPlace) -> None:
    _, check = first_key(key)
    for table in _TABLES:
        connection.execute(table)
    connection.execute("INSERT INTO store VALUES (?, ?, 0)", (check.kind, check.sealed))
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {LAYOUT}")


def _cipher(
    connection: sqlite3.Connection, path: Path, key: KeyPlace
) -> tuple[Cipher, KeyCheck]:
    """Return the cipher of the file; StoreError unless *key* is the file's own."""
    found = connection.execute("SELECT key_kind, key_check FROM store").fetchone()
    kind, sealed = found or (None, None)
    if not isinstance(kind, str) or not isinstance(sealed, bytes):
        raise StoreError(f"{path} is damaged: it does not tell its key", hint=_REPLACE)

    def count() -> int:
        (rows,) = connection.execute("SELECT count(*) FROM records").fetchone()
        return int(rows)

    check = KeyCheck(kind, sealed)
    away = "move the store away"
    return known_key(str(path), check, key, count=count, away=away), check
