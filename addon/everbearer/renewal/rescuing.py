"""
Emergency copies taken in: what a process could redeem and not save.

Whoever holds the lock next takes the copy into the store before anything else.
Whoever waits for a holder that cannot save serves the copy's token where the old
one is at its end.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.renewal.copies import KEPT_HINT, kept, nothing_lost, taken_in
from everbearer.renewal.held import token_of
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from everbearer.renewal.held import Held
    from everbearer.renewal.saving import Saving
    from everbearer.secret import Secret
    from everbearer.stores.contract import Copy, Rescued

logger = logging.getLogger(__name__)

_WATCH: Final = 1.0
"""Seconds between two looks for a copy while another holds the lock."""


class Rescuing:
    """The emergency copies of one grant, for whoever renews it."""

    def __init__(self, seed: Secret | None, held: Held, saving: Saving) -> None:
        self._seed = seed
        self._held = held
        self._saving = saving
        self._key = saving.key
        self._store = saving.store
        self._clock = saving.clock
        self._telling = saving.telling
        self._told: frozenset[str] = frozenset()
        self._kept: set[str] = set()

    async def offer(self, stored: Record | None) -> bool:
        """
        Tell whether a copy waits to be taken in; its token is a spare until then.

        Takes no lock: the copy is on disk, and whoever holds the lock may be
        trying to save it.
        """
        basis, found = stored or Record(), await self._find()
        new = self._newer(basis, found.copies)
        if new is None:
            return False
        now = self._clock.now()
        token = token_of(new[1], now, self._clock.wall())
        if token is not None and self._held.usable(token, now):
            self._held.spare = token
        return True

    async def take_in(self, stored: Record | None) -> Record | None:
        """
        Return the record with the copies taken in, by the holder of the lock.

        One is removed where the store has its refresh token, and no other.
        """
        found = await self._find()
        if not found.copies:
            return stored
        basis, waiting = stored or Record(), list(found.copies)
        while new := self._newer(basis, waiting):
            copy, record = new
            # From now on the store is the newer, also where it had gone back.
            basis = await self._saving.save_beyond(copy.record.version, record)
            waiting.remove(copy)
            await self._forget(basis)
            self._telling.copy(f"the emergency copy {copy.where} is in the store now")
        unknown = [c for c in waiting if not nothing_lost(basis, c.record)]
        if len(unknown) < len(waiting):
            await self._forget(basis)
        self._tell_kept(unknown)
        return basis

    async def _forget(self, stored: Record) -> None:
        await self._saving.forget(lambda copy: nothing_lost(stored, copy))

    def _newer(
        self, stored: Record, copies: Iterable[Copy]
    ) -> tuple[Copy, Record] | None:
        """Return the newest copy to take in, and the record that it makes."""
        for copy in copies:
            record = taken_in(stored, copy.record, self._seed)
            if record is not None:
                return copy, record
        return None

    def _tell_kept(self, copies: Iterable[Copy]) -> None:
        for copy in copies:
            if copy.where not in self._kept:
                self._kept.add(copy.where)
                self._telling.copy(kept(copy.where), KEPT_HINT)

    @asynccontextmanager
    async def exclusive(
        self, stuck: Callable[[], None], patience: float | None
    ) -> AsyncIterator[None]:
        """
        Hold the grant alone; *stuck* is called while its holder cannot save.

        Raises StoreError after *patience* seconds; None waits for ever.
        """
        async with AsyncExitStack() as stack:
            watch = asyncio.get_running_loop().create_task(self._watch(stuck))
            try:
                async with asyncio.timeout(patience):
                    lock = self._store.exclusive(self._key)
                    await stack.enter_async_context(lock)
            except TimeoutError:
                raise StoreError(
                    f"another process has held the grant for {patience:.0f} s: it is"
                    " renewing it, or cannot save what it has renewed"
                ) from None
            finally:
                watch.cancel()
                await asyncio.wait({watch})
            yield

    async def _watch(self, stuck: Callable[[], None]) -> None:
        while True:
            await self._clock.sleep(_WATCH)
            try:
                if await self.offer(await self._store.load(self._key)):
                    stuck()
            except StoreError as error:
                # Whoever gets the lock meets it too, and tells it to everybody.
                logger.debug("no look for an emergency copy: %s", error)

    async def _find(self) -> Rescued:
        found = await self._store.rescued(self._key)
        for error in found.unreadable:
            if error.message not in self._told:
                self._telling.copy(error.message, error.hint)
        self._told = frozenset(error.message for error in found.unreadable)
        return found
