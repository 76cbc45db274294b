"""A new token reaches the disk, or is not used."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreConflict, StoreError
from everbearer.renewal.copies import KEPT_HINT, nothing_lost, same_tokens
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from everbearer.renewal.clock import Clock
    from everbearer.renewal.telling import Telling
    from everbearer.stores.contract import GrantKey, Store

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
SLOW_SAVE: Final = 3.0
"""Seconds after which a save is not waited for without an emergency copy."""


class Saving:
    """How one grant's records are saved, by the holder of its lock."""

    def __init__(
        self, key: GrantKey, store: Store, clock: Clock, telling: Telling
    ) -> None:
        self.key = key
        self.store = store
        self.clock = clock
        self.telling = telling
        self.unsaved: StoreError | None = None
        """Why what was redeemed is not in the store yet."""

    async def save(self, record: Record) -> Record:
        """Save once; raises StoreError."""
        return await self.store.save(self.key, record)

    async def save_beyond(self, version: int, record: Record) -> Record:
        """Save once, with a version above *version* whatever the store's is."""
        return await self.store.save(self.key, record, beyond=version)

    async def persist(
        self, basis: Record, new: Record, failing: Callable[[bool], None]
    ) -> Record:
        """
        Save *new*, made from *basis*, again and again until it is in the store.

        Returns what is stored: another's record if one appeared although the
        lock is ours. Where a save fails, takes long or is cancelled, *new* goes
        into an emergency copy, which stays until a save succeeds. *failing* is
        called at each failure with whether the copy is on disk; a change is told,
        and not each try.
        """
        # The intent tells from which refresh token the copy was made.
        copy = _Copy(replace(new, intent=basis.intent), self._rescue)
        told, wait = ("", ""), _FIRST_WAIT

        async def failed(error: StoreError) -> None:
            nonlocal told
            self.unsaved = error
            await copy.write()
            if told != (error.message, copy.where):
                told = error.message, copy.where
                self.telling.unsaved(error, copy.where)
            failing(bool(copy.where))

        try:
            while True:
                try:
                    async with self._watched(failed):
                        stored = await self._save_or_yield(basis, new, copy)
                    break
                except StoreError as error:
                    await failed(error)
                    await self.clock.sleep(wait)
                    wait = min(_LONGEST_WAIT, 2 * wait)
        except (Exception, asyncio.CancelledError):
            # Nobody tries again: what came is on disk before the lock is let go.
            await copy.write()
            raise
        finally:
            self.unsaved = None
        if copy.begun:
            await self.forget(lambda each: nothing_lost(stored, each))
        return stored

    async def forget(self, forgettable: Callable[[Record], bool]) -> None:
        """Remove emergency copies; one that stays is found again, and told."""
        try:
            await self.store.forget_rescued(self.key, forgettable)
        except StoreError as error:
            self.telling.copy(f"an emergency copy stays: {error.message}", error.hint)

    async def _rescue(self, copy: Record) -> str:
        try:
            return await self.store.rescue(self.key, copy)
        except StoreError as error:
            self.telling.copy(
                f"no emergency copy could be written: {error.message}", error.hint
            )
            return ""

    @asynccontextmanager
    async def _watched(
        self, failed: Callable[[StoreError], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """Have *failed* called where what is done takes long."""

        async def watch() -> None:
            await self.clock.sleep(SLOW_SAVE)
            await failed(StoreError(f"no answer of the store for {SLOW_SAVE:.0f} s"))

        # A task beside: the store knows the holder of a lock by its task.
        watching = asyncio.get_running_loop().create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _save_or_yield(self, basis: Record, new: Record, copy: _Copy) -> Record:
        try:
            return await self.save(new)
        except StoreConflict as error:
            conflict = error
        stored = await self.store.load(self.key) or Record()
        ours = replace(new, version=stored.version)
        if stored.version < basis.version:
            # Versions only grow: the store has gone back in time, and ours not.
            return await self.save_beyond(basis.version, ours)
        if not _moved_on(stored, basis, new):
            return await self.save(ours)
        # Either an earlier try had arrived and only its success had not; or the
        # lock was lost, another has renewed since, and ours would take its
        # refresh token away. Nobody knows which of the two lives.
        if not nothing_lost(stored, new):
            if not await copy.write():
                raise conflict
            self.telling.copy(
                "another process changed the grant meanwhile, and what came is kept"
                f" in {copy.where}",
                KEPT_HINT,
            )
        return stored


class _Copy:
    """The emergency copy of one record, written once."""

    def __init__(
        self, record: Record, rescue: Callable[[Record], Awaitable[str]]
    ) -> None:
        self._record = record
        self._rescue = rescue
        self.begun = False
        """There may be a copy on disk."""
        self.where = ""

    async def write(self) -> str:
        """Return where it is, "" where it could not be written."""
        if not self.where:
            self.begun = True
            self.where = await self._rescue(self._record)
        return self.where


def _moved_on(stored: Record, basis: Record, new: Record) -> bool:
    """Tell whether somebody has renewed since *basis*, *new* being made from it."""
    if new.refresh_token != basis.refresh_token:
        # An access token may go without a renewal: it was found to be dead.
        return stored.refresh_token != basis.refresh_token
    return not same_tokens(stored, basis)
