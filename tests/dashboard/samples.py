"""Statuses and profiles as they come."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everbearer.renewal.status import ProfileStatus
from everbearer.settings.load import load
from everbearer.settings.model import Settings
from everbearer.stores.contract import GrantKey, Record, Trouble, TroubleKind
from everbearer.stores.memory import MemoryStore
from happened import AT

CONFIG = """
default_profile = "app"

[profiles.app]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "hush-hush-secret"
subject = { type = "enterprise", id = "7" }

[profiles.person]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = "hush-hush-secret"

[profiles.token]
provider = "box"
access_token = "hush-hush-token"

[store]
url = "memory:"
"""


class HeldStore(MemoryStore):
    """A store in memory that may keep those waiting who read it."""

    def __init__(self) -> None:
        super().__init__()
        self._answers = asyncio.Event()
        self._answers.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answer nobody while the context lasts."""
        self._answers.clear()
        yield
        self._answers.set()

    async def load(self, key: GrantKey) -> Record | None:
        await self._answers.wait()
        return await super().load(key)


def settings(folder: Path, more: str = "") -> Settings:
    """Return a configuration with a profile of each kind."""
    config = folder / "everbearer.toml"
    config.write_text(CONFIG + more)
    config.chmod(0o600)
    return load(config, {})


def status(name: str = "app", **changes: object) -> ProfileStatus:
    """Return the status of a profile whose token is fresh."""
    plain = ProfileStatus(
        name, "client_credentials", "fresh", "aaaaaaaaaaaa", 3000.0, AT - 600
    )
    return dataclasses.replace(plain, **changes)


def trouble(kind: TroubleKind, **changes: object) -> Trouble:
    """Return a trouble of the store."""
    plain = Trouble(kind, "the server says no", AT - 5, 1, 0.0, "f")
    return dataclasses.replace(plain, **changes)
