"""A new token reaches the disk, or is not used."""

from __future__ import annotations

from dataclasses import replace
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


class Saving:
    """How one grant's records are saved, by the holder of its lock."""

    def __init__(
        self, key: GrantKey, store: Store, clock: Clock, telling: Telling
    ) -> None:
        self._key = key
        self._store = store
        self._clock = clock
        self._telling = telling
        self.unsaved: StoreError | None = None
        """Why what was redeemed is not in the store yet."""

    async def save(self, record: Record) -> Record:
        """Save once; raises StoreError."""
        return await self._store.save(self._key, record)

    async def persist(
        self, basis: Record, new: Record, failing: Callable[[bool], None]
    ) -> Record:
        """
        Save *new*, made from *basis*, again and again until it is in the store.

        Returns what is stored: another's record if one appeared although the
        lock is ours. Where a save fails, *new* goes into an emergency copy,
        which stays until a save succeeds. *failing* is called at each failure
        with whether the copy is on disk; a change is told, and not each try.
        """
        # The intent tells from which refresh token the copy was made.
        copy = replace(new, intent=basis.intent)
        where, told, wait = "", ("", ""), _FIRST_WAIT
        try:
            while True:
                try:
                    stored = await self._save_or_yield(basis, new)
                    break
                except StoreError as error:
                    self.unsaved = error
                    where = where or await self._rescue(copy)
                    if told != (error.message, where):
                        told = error.message, where
                        self._telling.unsaved(error, where)
                    failing(bool(where))
                    await self._clock.sleep(wait)
                    wait = min(_LONGEST_WAIT, 2 * wait)
            if where and same_tokens(stored, new):
                await self.forget_rescued()
            return stored
        finally:
            self.unsaved = None

    async def forget_rescued(self) -> None:
        """Remove the emergency copies; one that stays is found again, and told."""
        try:
            await self._store.forget_rescued(self._key)
        except StoreError as error:
            self._telling.copy(f"an emergency copy stays: {error.message}", error.hint)

    async def _rescue(self, copy: Record) -> str:
        try:
            return await self._store.rescue(self._key, copy)
        except StoreError as error:
            self._telling.copy(
                f"no emergency copy could be written: {error.message}", error.hint
            )
            return ""

    async def _save_or_yield(self, basis: Record, new: Record) -> Record:
        try:
            return await self.save(new)
        except StoreConflict:
            stored = await self._store.load(self._key) or Record()
        if not same_tokens(stored, basis):
            # Either an earlier try had arrived and only its success had not; or
            # the lock was lost, another has renewed since, and ours would take
            # its refresh token away.
            return stored
        return await self.save(replace(new, version=stored.version))


def same_tokens(one: Record, other: Record) -> bool:
    """Tell whether two records hold the same access and refresh token."""
    return (
        one.access_token == other.access_token
        and one.refresh_token == other.refresh_token
    )
