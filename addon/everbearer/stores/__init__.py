"""Where grants are kept: one contract, several places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from everbearer.stores import private
from everbearer.stores.keys import KeySource, key_place
from everbearer.stores.memory import MemoryStore
from everbearer.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.stores.contract import Store


class StoreSettings(Protocol):
    """What the configuration says of the store: path and key set, or neither."""

    @property
    def path(self) -> Path | None:
        """The SQLite file; None keeps everything in memory."""

    @property
    def key(self) -> KeySource | None:
        """Where the file's key lies."""

    @property
    def rescue(self) -> Path | None:
        """Where emergency copies go that cannot be written beside the file."""


def open_store(settings: StoreSettings, *, make: bool = True) -> Store:
    """
    Open the configured store.

    Where there is none it is made, or without *make* an empty one in memory
    stands for it.

    Blocks, with a keyring for as long as a person takes to unlock it: not to be
    called on an event loop. Raises StoreError.
    """
    if settings.path is None or settings.key is None:
        return MemoryStore()
    if not make and not _is_there(settings.path):
        return MemoryStore()
    key = key_place(settings.key)
    return SqliteStore.open(settings.path, key, elsewhere=settings.rescue)


def _is_there(path: Path) -> bool:
    with private.os_errors(path):
        try:
            # It is empty until the process that makes it has made it.
            return path.stat().st_size > 0
        except FileNotFoundError:
            return False
