"""The stores that a run may use, and how each is troubled."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness import Sandbox
from postgres_cluster import Cluster


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


@dataclass
class PostgresStore:
    """A PostgreSQL server of its own, which ends with the place of the run."""

    tls: str = ""
    """What its server is certified with; and what follows its URL then."""
    query: str = ""

    def config(self, sandbox: Sandbox) -> Path:
        self.cluster = Cluster(tls=self.tls)
        sandbox.place.ending.append(self.cluster.remove)
        text = (sandbox.state / "all.toml").read_text()
        url = self.cluster.url + self.query
        text, count = re.subn(r'url = "sqlite:.*"', f'url = "{url}"', text)
        assert count == 1
        config = sandbox.state / "postgresql.toml"
        config.write_text(text)
        config.chmod(0o600)
        done = sandbox.place.everbearer("store", "migrate", "-c", str(config))
        assert done.returncode == 0, done.stderr
        return config

    def trouble(self, stopped: threading.Event, seconds: float) -> bool:
        """Crash the server, and start it again."""
        self.cluster.stop("immediate")
        try:
            stopped.wait(seconds)
        finally:
            self.cluster.start()
        return True


STORES: dict[str, type[StorePlace]] = {
    "sqlite": SqliteStore,
    "postgresql": PostgresStore,
}
