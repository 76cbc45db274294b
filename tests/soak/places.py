"""The stores that a run may use, and how each is troubled."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness import Sandbox


class StorePlace(Protocol):
    """A store that all proxies share."""

    def config(self, sandbox: Sandbox) -> Path:
        """Write a configuration with this store, and return it."""

    def trouble(self, stopped: threading.Event, seconds: float) -> bool:
        """Take the store away for a while; tell whether locks in it were lost."""


@dataclass
class SqliteStore:
    """The file that the sandbox's own configuration names."""

    def config(self, sandbox: Sandbox) -> Path:
        self._file = sandbox.state / "tokens.db"
        return sandbox.state / "all.toml"

    def trouble(self, stopped: threading.Event, seconds: float) -> bool:
        """Hold the whole file, as a backup program does."""
        connection = sqlite3.connect(self._file, timeout=20, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            stopped.wait(seconds)
            connection.execute("ROLLBACK")
        finally:
            connection.close()
        return False


STORES: dict[str, type[StorePlace]] = {"sqlite": SqliteStore}
