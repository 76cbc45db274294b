"""
The schema `everbearer` in a PostgreSQL database: its tables and statements.

It is made and migrated by `migrate` alone, in one transaction and by one process
at a time; nothing is written to a schema that is somebody else's, a newer
everbearer's, or sealed with a key that is not at hand.

A record is changed by one statement that names the very row it was read from:
no transaction of ours is ever open while we wait for anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from everbearer.errors import StoreConflict, StoreError
from everbearer.stores.codec import Row
from everbearer.stores.key_check import KeyCheck, first_key, known_key
from everbearer.stores.postgres_errors import MIGRATE, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.keys import KeyPlace
    from everbearer.stores.postgres_server import Database
    from everbearer.stores.postgres_session import Session

LAYOUT: Final = 1

_TABLES: Final = (
    """CREATE TABLE everbearer.store (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        layout integer NOT NULL,
        key_kind text NOT NULL,
        key_check bytea NOT NULL
    )""",
    """CREATE TABLE everbearer.records (
        digest text PRIMARY KEY,
        version bigint NOT NULL,
        schema integer NOT NULL,
        sealed bytea NOT NULL
    )""",
)
_MIGRATION_LOCK: Final = int.from_bytes(b"everbear")

LISTEN: Final = "LISTEN everbearer"
_STORE: Final = "SELECT layout, key_kind, key_check FROM everbearer.store"
_ROW: Final = "SELECT version, schema, sealed FROM everbearer.records WHERE digest = %s"
_ROWS: Final = (
    "SELECT digest, version, schema, sealed FROM everbearer.records ORDER BY digest"
)
# Each save adds one to one version.
_GENERATION: Final = "SELECT coalesce(sum(version), 0)::bigint FROM everbearer.records"
_INSERT: Final = (
    "INSERT INTO everbearer.records (digest, version, schema, sealed)"
    " SELECT %s, %s, %s, %s FROM everbearer.store WHERE layout = %s"
    " ON CONFLICT DO NOTHING RETURNING pg_notify('everbearer', '')"
)
_UPDATE: Final = (
    "UPDATE everbearer.records SET version = %s, schema = %s, sealed = %s"
    " WHERE digest = %s AND version = %s AND schema = %s AND sealed = %s"
    " AND (SELECT layout FROM everbearer.store) = %s"
    " RETURNING pg_notify('everbearer', '')"
)


async def check(session: Session, database: Database, known: KeyCheck) -> None:
    """Raise StoreError unless the store there is the one with *known*."""
    found = _store(database, await session.fetch(_STORE))
    if found != known:
        raise StoreError(
            f"{database} was replaced while in use", hint="start everbearer again"
        )


async def row(session: Session, digest: str) -> Row | None:
    """Return the row of *digest*."""
    found = await session.fetch(_ROW, [digest])
    return Row(*found[0]) if found else None


async def rows(session: Session) -> list[tuple[str, Row]]:
    """Return every digest and its row."""
    return [(digest, Row(*rest)) for digest, *rest in await session.fetch(_ROWS)]


async def generation(session: Session) -> int:
    """Return the number of saves."""
    ((count,),) = await session.fetch(_GENERATION)
    return int(count)


async def replace_row(
    session: Session, database: Database, digest: str, old: Row | None, new: Row
) -> None:
    """
    Put *new* in the place of *old*, the row that was read, and notify.

    Raises StoreConflict where it is not there any more, StoreError where the
    store was migrated meanwhile.
    """
    values: list[object] = [new.version, new.schema, new.sealed]
    if old is None:
        done = await session.fetch(_INSERT, [digest, *values, LAYOUT])
    else:
        seen: list[object] = [old.version, old.schema, old.sealed]
        done = await session.fetch(_UPDATE, [*values, digest, *seen, LAYOUT])
    if not done:
        _store(database, await session.fetch(_STORE))
        raise StoreConflict(
            f"record {digest[:8]} was saved by another process at this moment"
        )


def open_blocking(
    connection: psycopg.Connection[Any], database: Database, key: KeyPlace
) -> tuple[Cipher, KeyCheck]:
    """Return the cipher of the store there; raises StoreError."""
    with _errors(database):
        check = _store(database, connection.execute(_STORE).fetchall())
        return _cipher(connection, database, check, key), check


def migrate(
    connection: psycopg.Connection[Any], database: Database, key: KeyPlace
) -> str:
    """
    Make the schema, its tables and (where it is missing) its key; say what was done.

    Does nothing where there is nothing to do. Raises StoreError.
    """
    with _errors(database), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        if not _is_new(connection, database):
            found = _store(database, connection.execute(_STORE).fetchall())
            _cipher(connection, database, found, key)
            return f"nothing to do: {database} has layout {LAYOUT}"
        _, made = first_key(key)
        connection.execute("CREATE SCHEMA IF NOT EXISTS everbearer")
        for table in _TABLES:
            connection.execute(table)
        connection.execute(
            "INSERT INTO everbearer.store (layout, key_kind, key_check)"
            " VALUES (%s, %s, %s)",
            [LAYOUT, made.kind, made.sealed],
        )
        return f"made the store in {database}, layout {LAYOUT}; its key is {key}"


def _is_new(connection: psycopg.Connection[Any], database: Database) -> bool:
    """Tell whether nothing is there; StoreError where it is not a store of ours."""
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace ="
            " (SELECT oid FROM pg_namespace WHERE nspname = 'everbearer')"
        )
    }
    if tables and not {"store", "records"} <= tables:
        raise StoreError(
            f"{database} has a schema everbearer that is not a store's",
            hint="name another database in store.url",
        )
    return not tables


def _store(database: Database, found: list[tuple[Any, ...]]) -> KeyCheck:
    """Return what the store tells of its key; StoreError for another layout."""
    if not found:
        raise StoreError(
            f"{database} is damaged: its store does not tell its key",
            hint="bring the database back from a copy",
        )
    ((layout, kind, sealed),) = found
    if layout > LAYOUT:
        raise StoreError(
            f"{database} was migrated by a newer everbearer "
            f"(layout {layout}, this one knows {LAYOUT})",
            hint="use the newer everbearer, or name another database in store.url",
        )
    if layout < LAYOUT:
        raise StoreError(
            f"{database} has the older layout {layout}, this one needs {LAYOUT}",
            hint=MIGRATE,
        )
    return KeyCheck(kind, sealed)


def _cipher(
    connection: psycopg.Connection[Any],
    database: Database,
    check: KeyCheck,
    key: KeyPlace,
) -> Cipher:
    def count() -> int:
        found = connection.execute("SELECT count(*) FROM everbearer.records").fetchone()
        assert found is not None
        return int(found[0])

    return known_key(
        str(database), check, key, count=count, away="name another database"
    )


@contextmanager
def _errors(database: Database) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise failed(str(database), error) from None
