"""A token manager on a bench: model server, memory store, fake clock, events."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from everbearer.errors import StoreBrokeOff, StoreError
from everbearer.oauth.grants.client_credentials import ClientCredentials
from everbearer.oauth.grants.contract import Subject
from everbearer.oauth.grants.refresh_token import RefreshToken
from everbearer.renewal.manager import TokenManager
from everbearer.secret import Secret
from everbearer.settings.model import Profile
from everbearer.stores.contract import GrantKey, Record
from everbearer.stores.memory import Memory, MemoryStore
from everbearer.tasks import Tasks
from renewal.model_server import SEED, ModelServer
from renewal.virtual_time import FakeClock

if TYPE_CHECKING:
    from everbearer.events import Event
    from everbearer.oauth.grants.contract import Grant

TOKEN_URL = "https://api.box.com/oauth2/token"


def profile_of(grant: Grant) -> Profile:
    """Return the profile "dev" with that grant."""
    key = GrantKey(TOKEN_URL, grant.client_id, grant.name, grant.identity)
    return Profile("dev", "box", TOKEN_URL, key, grant=grant)


def refresh_grant(seed: str | None = SEED) -> RefreshToken:
    """Return a grant that rotates."""
    return RefreshToken("client", Secret("hush"), Secret(seed) if seed else None)


def client_grant() -> ClientCredentials:
    """Return a grant that does not."""
    return ClientCredentials("client", Secret("hush"), Subject("enterprise", "1"))


@dataclass
class FlakyStore:
    """A MemoryStore that fails so many times, and remembers what was saved."""

    inner: MemoryStore
    failing_saves: int = 0
    failing_loads: int = 0
    breaking_off: int = 0  # loads in the midst of which it goes away
    spared_saves: int = 0  # saves that succeed before those that fail
    failing_rescues: int = 0
    saved_tokens: set[str] = field(default_factory=set)
    loads: int = 0
    slow_watch: float = 0.0  # seconds between a keeper's load and what it does

    async def load(self, key):
        """Load, or fail."""
        self.loads += 1
        if self.breaking_off:
            self.breaking_off -= 1
            raise StoreBrokeOff("the connection broke off")
        if self.failing_loads:
            self.failing_loads -= 1
            raise StoreError("the disk is gone")
        record = await self.inner.load(key)
        if asyncio.current_task().get_name().startswith("keep"):
            await asyncio.sleep(self.slow_watch)
        return record

    async def save(self, key, record, *, beyond=0):
        """Save, or fail."""
        if self.spared_saves:
            self.spared_saves -= 1
        elif self.failing_saves:
            self.failing_saves -= 1
            raise StoreError("the disk is full")
        saved = await self.inner.save(key, record, beyond=beyond)
        if record.access_token is not None:
            self.saved_tokens.add(record.access_token.reveal())
        return saved

    def exclusive(self, key):
        """Lock, always."""
        return self.inner.exclusive(key)

    async def rescue(self, key, record):
        """Write a copy, or fail."""
        if self.failing_rescues:
            self.failing_rescues -= 1
            raise StoreError("the other disk is full too")
        where = await self.inner.rescue(key, record)
        if record.access_token is not None:
            self.saved_tokens.add(record.access_token.reveal())
        return where

    async def rescued(self, key):
        """Look, always."""
        return await self.inner.rescued(key)

    async def forget_rescued(self, key, forgettable):
        """Forget, always."""
        await self.inner.forget_rescued(key, forgettable)

    async def generation(self):
        """Count, always."""
        return await self.inner.generation()

    async def close(self):
        """Close, always."""
        await self.inner.close()


class Bench:
    """One process: a manager and what surrounds it."""

    def __init__(
        self,
        grant: Grant | None = None,
        *,
        server: ModelServer | None = None,
        memory: Memory | None = None,
        profile: Profile | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        grant = grant or refresh_grant()
        self.clock = clock or (server.clock if server else FakeClock())
        self.server = server or ModelServer(self.clock, rotates=grant.rotates)
        self.memory = memory or Memory()
        self.store = FlakyStore(MemoryStore(self.memory))
        self.profile = profile or profile_of(grant)
        self.events: list[Event] = []
        self.tasks = Tasks()
        self.manager = TokenManager(
            self.profile,
            store=self.store,
            endpoint=self.server,
            clock=self.clock,
            random=Random(1),
            publish=self.events.append,
            tasks=self.tasks,
        )

    @property
    def calls(self) -> int:
        """How many token requests the server saw."""
        return len(self.server.requests)

    @property
    def record(self) -> Record:
        """Return what is in the store."""
        return self.memory.records.get(self.profile.key) or Record()

    def told(self, kind: type[Event]) -> list[Event]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def count_events(self) -> Counter[str]:
        """Return how many events of each kind there were."""
        return Counter(type(event).__name__ for event in self.events)

    async def request(self) -> int:
        """Do what the proxy does with one request; return the client's status."""
        token = self.manager.ready(self.clock.now()) or await self.manager.credential()
        status = self.server.use(token.value.reveal())
        if status == 401:
            token = await self.manager.recover(token.fingerprint)
            status = self.server.use(token.value.reveal())
        return status

    async def stop(self) -> None:
        """End as a process does that is asked to."""
        await self.manager.stop()
        await self.tasks.drain()
