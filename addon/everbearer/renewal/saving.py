"""A new token reaches the disk, or is not used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreConflict, StoreError
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.renewal.clock import Clock
    from everbearer.renewal.telling import Telling
    from everbearer.stores.contract import GrantKey, Store

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Saving:
    """How one grant's records are saved, by the holder of its lock."""

    key: GrantKey
    store: Store
    clock: Clock
    telling: Telling

    async def save(self, record: Record) -> Record:
        """Save once; raises StoreError."""
        return await self.store.save(self.key, record)

    async def persist(
        self,
        basis: Record,
        new: Record,
        *,
        until: float,
        stuck: Callable[[], None],
    ) -> Record:
        """
        Save *new*, made from *basis*, again and again until it is on disk.

        Returns what is stored: another's record if one appeared although the
        lock is ours. Every failure is published, *stuck* is called at each, and
        at *until* (monotonic) the last is raised.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._save_or_yield(basis, new)
            except StoreError as error:
                self.telling.unsaved(error, attempt)
                stuck()
                wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(attempt - 1, 16))
                if self.clock.now() + wait > until:
                    raise
                await self.clock.sleep(wait)

    async def _save_or_yield(self, basis: Record, new: Record) -> Record:
        try:
            return await self.save(new)
        except StoreConflict:
            stored = await self.store.load(self.key) or Record()
        if not _same_tokens(stored, basis):
            # Either an earlier try had arrived and only its success had not; or
            # the lock was lost, another has renewed since, and ours would take
            # its refresh token away.
            return stored
        return await self.save(replace(new, version=stored.version))


def _same_tokens(one: Record, other: Record) -> bool:
    return (
        one.access_token == other.access_token
        and one.refresh_token == other.refresh_token
    )
