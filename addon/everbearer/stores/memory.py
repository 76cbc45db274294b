"""A store that lives and dies with its process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from everbearer.errors import StoreConflict
from everbearer.stores.contract import Copy, Examined, Rescued
from everbearer.stores.rescue import newest_first, same_refresh_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from everbearer.stores.contract import GrantKey, Record


@dataclass(slots=True)
class Memory:
    """What several MemoryStores share, all of one event loop."""

    records: dict[GrantKey, Record] = field(default_factory=dict)
    locks: dict[GrantKey, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    rescued: dict[GrantKey, list[Record]] = field(default_factory=dict)
    generation: int = 0


class MemoryStore:
    """Records in *memory*; nothing leaves the process, so nothing is sealed."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = Memory() if memory is None else memory

    async def load(self, key: GrantKey) -> Record | None:
        """Return the record, None where there is none."""
        return self._memory.records.get(key)

    async def save(self, key: GrantKey, record: Record, *, beyond: int = 0) -> Record:
        """Keep the record and return it with its new version."""
        stored = self._memory.records.get(key)
        version = 0 if stored is None else stored.version
        if record.version != version:
            raise StoreConflict(
                f"record {key.digest[:8]} has version {version}, "
                f"and this one was made from {record.version}",
            )
        saved = replace(record, version=max(version, beyond) + 1)
        self._memory.records[key] = saved
        self._memory.generation += 1
        return saved

    def exclusive(self, key: GrantKey) -> AbstractAsyncContextManager[None]:
        """Hold the grant alone among all tasks of the memory's event loop."""
        return self._memory.locks[key]

    async def generation(self) -> int:
        """Return the number of saves."""
        return self._memory.generation

    async def rescue(self, key: GrantKey, record: Record) -> str:
        """Keep a second record, for as long as the memory lasts."""
        await self.forget_rescued(key, same_refresh_token(record))
        self._memory.rescued.setdefault(key, []).append(record)
        return "memory"

    async def rescued(self, key: GrantKey) -> Rescued:
        """Return the second records."""
        kept = self._memory.rescued.get(key, [])
        copies = (Copy(record, "memory") for record in kept)
        return Rescued(newest_first(copies))

    async def forget_rescued(
        self, key: GrantKey, forgettable: Callable[[Record], bool]
    ) -> None:
        """Forget second records."""
        kept = self._memory.rescued.pop(key, [])
        if left := [record for record in kept if not forgettable(record)]:
            self._memory.rescued[key] = left

    async def examine(self) -> tuple[Examined, ...]:
        """Return that every record is well: nothing was sealed."""
        return tuple(Examined(key.digest, None) for key in self._memory.records)

    async def close(self) -> None:
        """Do nothing: the memory may be shared."""
