"""
Where grants are kept: one contract, several places.

A place is imported when it is opened: parts of this package serve those who open
none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from everbearer.errors import StoreError
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from everbearer.stores.contract import Store
    from everbearer.stores.keys import KeyPlace, KeySource
    from everbearer.stores.postgres import PostgresStore
    from everbearer.stores.postgres_server import Database


class StoreSettings(Protocol):
    """What the configuration says of the store; only memory has no key."""

    @property
    def scheme(self) -> str:
        """Which kind it is, a key of `KINDS`."""

    @property
    def path(self) -> Path | None:
        """The SQLite file."""

    @property
    def postgres(self) -> Database | None:
        """The PostgreSQL database."""

    @property
    def key(self) -> KeySource | None:
        """Where its key lies."""

    @property
    def rescue(self) -> Path | None:
        """Where emergency copies go that cannot be written beside the store."""


class Kind(Protocol):
    """One kind of store: how it is found, made and opened."""

    def place(self, settings: StoreSettings) -> str:
        """Return where it is, for people; holds no secret."""

    def open(self, settings: StoreSettings, *, make: bool) -> Store | None:
        """Return it; None where there is none and *make* says to leave it so."""

    def migrate(self, settings: StoreSettings) -> str:
        """Make it or bring it to this version's layout; say what was done."""


class _Memory:
    def place(self, settings: StoreSettings) -> str:
        del settings
        return "in memory, until the process ends"

    def open(self, settings: StoreSettings, *, make: bool) -> Store | None:
        del settings, make
        return _memory()

    def migrate(self, settings: StoreSettings) -> str:
        return f"nothing to do: the store is {self.place(settings)}"


class _Sqlite:
    def place(self, settings: StoreSettings) -> str:
        return str(_path(settings))

    def open(self, settings: StoreSettings, *, make: bool) -> Store | None:
        path = _path(settings)
        if not make and not _is_there(path):
            return None
        from everbearer.stores.sqlite import SqliteStore  # noqa: PLC0415 -- see above

        return SqliteStore.open(path, _key(settings), elsewhere=settings.rescue)

    def migrate(self, settings: StoreSettings) -> str:
        import asyncio  # noqa: PLC0415 -- see above

        from everbearer.stores.sqlite import SqliteStore  # noqa: PLC0415 -- see above

        path = _path(settings)
        there = _is_there(path)
        asyncio.run(SqliteStore.open(path, _key(settings)).close())
        if there:
            return f"nothing to do: {path} has the layout of this version"
        return f"made the store {path}; its key is {_key(settings)}"


class _Postgres:
    def place(self, settings: StoreSettings) -> str:
        return str(_database(settings))

    def open(self, settings: StoreSettings, *, make: bool) -> Store | None:
        del make  # never by the way: `migrate` alone does
        assert settings.rescue is not None
        return _postgres_store().open(
            _database(settings), _key(settings), elsewhere=settings.rescue
        )

    def migrate(self, settings: StoreSettings) -> str:
        return _postgres_store().migrate(_database(settings), _key(settings))


KINDS: Final[Mapping[str, Kind]] = {
    "memory": _Memory(),
    "sqlite": _Sqlite(),
    "postgresql": _Postgres(),
}
"""Every kind of store, by the scheme of its URL."""


def open_store(settings: StoreSettings, *, make: bool = True) -> Store:
    """
    Open the configured store.

    Where there is none it is made (one in PostgreSQL excepted), or without *make*
    an empty one in memory stands for it.

    Blocks, with a keyring for as long as a person takes to unlock it: not to be
    called on an event loop. Raises StoreError.
    """
    return KINDS[settings.scheme].open(settings, make=make) or _memory()


def migrate_store(settings: StoreSettings) -> str:
    """
    Make the store, or bring it to this version's layout; say what was done.

    Does nothing where there is nothing to do. Blocks as `open_store`. Raises
    StoreError.
    """
    return KINDS[settings.scheme].migrate(settings)


def store_place(settings: StoreSettings) -> str:
    """Return where the store is, for people; holds no secret."""
    return KINDS[settings.scheme].place(settings)


def _path(settings: StoreSettings) -> Path:
    assert settings.path is not None
    return settings.path


def _database(settings: StoreSettings) -> Database:
    assert settings.postgres is not None
    return settings.postgres


def _key(settings: StoreSettings) -> KeyPlace:
    assert settings.key is not None
    from everbearer.stores.keys import key_place  # noqa: PLC0415 -- see above

    return key_place(settings.key)


def _memory() -> Store:
    from everbearer.stores.memory import MemoryStore  # noqa: PLC0415 -- see above

    return MemoryStore()


def _postgres_store() -> type[PostgresStore]:
    try:
        # An extra, and slow to import: only for those who keep their grants there.
        from everbearer.stores.postgres import PostgresStore  # noqa: PLC0415 -- above
    except ImportError as error:
        if not (error.name or "psycopg").startswith("psycopg"):
            raise
        raise StoreError(
            "store.url is of PostgreSQL, and psycopg is not installed",
            hint="run: pip install 'everbearer[postgres]'",
        ) from None
    return PostgresStore


def _is_there(path: Path) -> bool:
    with private.os_errors(path):
        try:
            # It is empty until the process that makes it has made it.
            return path.stat().st_size > 0
        except FileNotFoundError:
            return False
