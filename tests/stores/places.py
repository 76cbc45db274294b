"""Every kind of store that the contract is tested on, and grants to keep there."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from everbearer.settings.model import PostgresSettings
from everbearer.stores.contract import GrantKey, Store
from everbearer.stores.keys import FileKey
from everbearer.stores.memory import Memory, MemoryStore
from everbearer.stores.postgres import PostgresStore
from everbearer.stores.postgres_session import Timing
from everbearer.stores.sqlite import SqliteStore
from stores import postgres_database


class Place(Protocol):
    """A place for one store, empty at first; *folder* is its own."""

    folder: Path

    def empty(self) -> None:
        """Make it empty before its first use; one at a time is used in a process."""

    def open(self) -> Store:
        """Return another store object for the same place."""


@dataclass
class SqlitePlace:
    """A database and its key, each in a folder that is missing at first."""

    folder: Path

    def empty(self) -> None:
        """Do nothing: its folder is new."""

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "data" / "tokens.db"

    @property
    def key(self) -> FileKey:
        """Where its key lies."""
        return FileKey(self.folder / "config" / "store.key")

    def open(self) -> SqliteStore:
        """Open the file once more."""
        return SqliteStore.open(self.database, self.key)


@dataclass
class MemoryPlace:
    """A memory that several stores share."""

    folder: Path
    memory: Memory = field(default_factory=Memory)

    def empty(self) -> None:
        """Do nothing: its memory is new."""

    def open(self) -> MemoryStore:
        """Return another store of the same memory."""
        return MemoryStore(self.memory)


@dataclass
class PostgresPlace:
    """The database of this test process, and a key in *folder*."""

    folder: Path
    timing: Timing = field(default_factory=Timing)

    @property
    def database(self) -> PostgresSettings:
        """The database."""
        return postgres_database.own_database()

    def empty(self) -> None:
        """Take away what another place has left in the database."""
        postgres_database.make()
        postgres_database.empty(self.database)

    @property
    def key(self) -> FileKey:
        """Where its key lies."""
        return FileKey(self.folder / "config" / "store.key")

    def open(self) -> PostgresStore:
        """Open the database once more, migrated."""
        database = self.database
        PostgresStore.migrate(database, self.key)
        return PostgresStore.open(
            database, self.key, self.timing, elsewhere=self.folder / "rescue"
        )


# What several processes can share, and everything.
SHARED = {"sqlite": SqlitePlace, "postgresql": PostgresPlace}
PLACES = {"memory": MemoryPlace, **SHARED}


def grant(name: str) -> GrantKey:
    """Return the key of a grant of its own for each *name*."""
    return GrantKey("https://api.box.com/oauth2/token", "client", "jwt_bearer", name)


async def newer(store: Store, generation: int) -> int:
    """Return the first generation that the store tells after the one that is known."""
    # The store has no event for it: managers ask.
    while (told := await store.generation()) == generation:  # noqa: ASYNC110 -- see above
        await asyncio.sleep(0)
    return told
