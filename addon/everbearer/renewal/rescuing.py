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
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.renewal.held import token_of
from everbearer.renewal.saving import same_tokens
from everbearer.stores.contract import Record, Rescued

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from everbearer.renewal.clock import Clock
    from everbearer.renewal.held import Held
    from everbearer.renewal.saving import Saving
    from everbearer.renewal.telling import Telling
    from everbearer.secret import Secret
    from everbearer.stores.contract import GrantKey, Store

logger = logging.getLogger(__name__)

_WATCH: Final = 1.0
"""Seconds between two looks for a copy while another holds the lock."""


def taken_in(stored: Record, copy: Record, seed: Secret | None) -> Record | None:
    """
    Return the record that *copy* makes of the *stored* one; None: the store wins.

    The copy's refresh token is the newer of the chain where the stored one (or
    the *seed*) is the one that was redeemed for it, and all there is where the
    store was lost. A grant that does not rotate loses nothing by a store that
    has moved on.
    """
    new = replace(copy, version=stored.version, intent=None)
    if not stored.version:
        return new
    redeemed = stored.refresh_token or seed
    fingerprint = redeemed.fingerprint() if redeemed else ""
    if copy.intent is None or copy.intent.refresh_fingerprint != fingerprint:
        return None
    moved_on = stored.version != copy.version
    if moved_on and copy.refresh_token in {None, stored.refresh_token}:
        return None
    return new


class Rescuing:
    """The emergency copies of one grant, for whoever renews it."""

    def __init__(
        self,
        key: GrantKey,
        seed: Secret | None,
        held: Held,
        *,
        store: Store,
        clock: Clock,
        saving: Saving,
        telling: Telling,
    ) -> None:
        self._key = key
        self._seed = seed
        self._held = held
        self._store = store
        self._clock = clock
        self._saving = saving
        self._telling = telling
        self._told: frozenset[str] = frozenset()

    async def offer(self, stored: Record | None) -> bool:
        """
        Tell whether a copy waits to be taken in; its token is a spare until then.

        Takes no lock: the copy is on disk, and whoever holds the lock may be
        trying to save it.
        """
        basis, found = stored or Record(), await self._find()
        if found.record is None or same_tokens(basis, found.record):
            return False
        new = taken_in(basis, found.record, self._seed)
        if new is None:
            return False
        now = self._clock.now()
        token = token_of(new, now, self._clock.wall())
        if token is not None and self._held.usable(token, now):
            self._held.spare = token
        return True

    async def take_in(self, stored: Record | None) -> Record | None:
        """Return the record with the copy taken in, by the holder of the lock."""
        found = await self._find()
        if found.record is None:
            return stored
        basis = stored or Record()
        if same_tokens(basis, found.record):
            await self._saving.forget_rescued()
            return stored
        new = taken_in(basis, found.record, self._seed)
        if new is not None:
            stored = await self._saving.save(new)
            told = "is in the store now"
        else:
            told = "is older than what the store has since, and was removed"
        await self._saving.forget_rescued()
        self._telling.copy(f"the emergency copy {found.where} {told}")
        return stored

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
