"""Every kind of store that the contract is tested on, and grants to keep there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from everbearer.stores.contract import GrantKey, Store
from everbearer.stores.keys import FileKey
from everbearer.stores.memory import Memory, MemoryStore
from everbearer.stores.sqlite import SqliteStore


class Place(Protocol):
    """A place for one store, empty at first; *folder* is its own."""

    folder: Path

    def open(self) -> Store:
        """Return another store object for the same place."""


@dataclass
class SqlitePlace:
    """A database and its key, each in a folder that is missing at first."""

    folder: Path

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

    def open(self) -> MemoryStore:
        """Return another store of the same memory."""
        return MemoryStore(self.memory)


# What several processes can share, and everything.
SHARED = {"sqlite": SqlitePlace}
PLACES = {"memory": MemoryPlace, **SHARED}


def grant(name: str) -> GrantKey:
    """Return the key of a grant of its own for each *name*."""
    return GrantKey("https://api.box.com/oauth2/token", "client", "jwt_bearer", name)
