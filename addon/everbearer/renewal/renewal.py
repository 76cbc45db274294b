"""
One renewal of one grant.

The grant's lock → take in what another could not save → load again: another may
have renewed, and that is the answer → redeem.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.renewal.asking import told
from everbearer.renewal.held import token_of, without_dead
from everbearer.renewal.known_trouble import KnownTrouble
from everbearer.renewal.redeeming import STORE_RETRY, Attempt, Redeeming
from everbearer.renewal.rescuing import Rescuing
from everbearer.renewal.saving import Saving
from everbearer.renewal.telling import Telling
from everbearer.renewal.token_request import TokenRequests
from everbearer.renewal.trouble import Failure, Result, Success
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from everbearer.events import Publish
    from everbearer.oauth.grants.contract import Grant
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.exchange import Send
    from everbearer.renewal.held import Held
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store

logger = logging.getLogger(__name__)

LOCK_PATIENCE: Final = 30.0
"""Seconds that one who is asked to renew waits for another process to end."""

_BURIAL_PATIENCE: Final = 1.0
"""Seconds; whoever holds the grant for longer is about to save it anew."""


class Renewal:
    """
    Renews one grant; the caller runs one at a time in its process.

    Reads from `held` what is served and what is dead, at each moment that
    matters, and changes nothing of it but to give it a token that is on disk.
    """

    def __init__(
        self,
        profile: Profile,
        grant: Grant,
        held: Held,
        *,
        store: Store,
        endpoint: Send,
        clock: Clock,
        random: Random,
        publish: Publish,
    ) -> None:
        self._profile = profile
        self._grant = grant
        self._held = held
        self._store = store
        self._clock = clock
        self._telling = Telling(profile.name, clock, publish)
        self._saving = Saving(profile.key, store, clock, self._telling)
        self._rescuing = Rescuing(grant.seed, held, self._saving)
        self._known = KnownTrouble(profile.name, grant, clock)
        self._redeeming = Redeeming(
            profile,
            grant,
            held,
            store=store,
            requests=TokenRequests(
                profile, grant, told(endpoint, self._telling), clock
            ),
            saving=self._saving,
            clock=clock,
            random=random,
            known=self._known,
            telling=self._telling,
        )

    @property
    def redeeming(self) -> bool:
        """What was asked for is on its way to the disk: do not cancel."""
        return self._redeeming.redeeming

    @property
    def unsaved(self) -> StoreError | None:
        """Why what was redeemed is not in the store yet; None where nothing is so."""
        return self._saving.unsaved

    async def renew(
        self, cause: str, *, forced: bool, stuck: Callable[[], None]
    ) -> Result:
        """
        Return a token other than the one held; the first look takes no lock.

        *forced* sends a token request whatever the store says; *stuck* is
        called when the new token, ours or another process's, is there and
        cannot be saved yet.
        """
        known = self._held.fingerprint
        begun = self._clock.now()
        try:
            if not forced:
                record = await self._store.load(self._profile.key)
                settled = self._settled(record, known)
                if await self._rescuing.offer(record):
                    if isinstance(settled, Success):
                        self._held.adopt(settled.token, self._clock.now())
                    stuck()
                elif settled:
                    if isinstance(settled, Failure) and record is not None:
                        await self._bury(record)
                    return self._shared(settled, cause, begun)
            patience = LOCK_PATIENCE if forced else None
            async with self._rescuing.exclusive(stuck, patience):
                stored = await self._store.load(self._profile.key)
                record = await self._rescuing.take_in(stored)
                if record is not stored:
                    self._known.forget_looks()  # a copy's trouble is an older one
                if not forced and (settled := self._settled(record, known)):
                    return self._shared(settled, cause, begun)
                record = record or Record()
                attempt = Attempt(cause, record.intent, self._clock.now(), stuck)
                return await self._redeeming.redeem(record, attempt)
        except StoreError as error:
            self._telling.failed(error, cause, STORE_RETRY)
            return Failure(error, STORE_RETRY)

    async def look(self) -> bool:
        """Hold what another process saved; tell whether it did. Raises StoreError."""
        known = self._held.fingerprint
        record = await self._store.load(self._profile.key)
        if record is not None and record.access_token is None and not record.intent:
            # Taken back by a logout: with a redeem under way it would be a token
            # that only another process knows to be dead, or none yet.
            self._held.bury(known)
        now = self._clock.now()
        token = token_of(record, now, self._clock.wall())
        if token is None or not self._held.usable(token, now):
            return False
        # Where a renewal has ended meanwhile, the record is the older of the two.
        return self._held.fingerprint == known and self._held.adopt(token, now)

    async def _bury(self, stored: Record) -> None:
        """Take a dead token out of the store, where no renewal will do it soon."""
        if without_dead(stored, self._held) is stored:
            return
        try:
            async with self._rescuing.exclusive(lambda: None, _BURIAL_PATIENCE):
                record = await self._store.load(self._profile.key)
                record = await self._rescuing.take_in(record) or Record()
                if (buried := without_dead(record, self._held)) is not record:
                    await self._saving.save(buried)
        except StoreError as error:
            # Tried again with the next request; it is not served here all the same.
            logger.debug("a dead token stays in the store: %s", error)

    # -- what the store says ------------------------------------------------

    def _settled(self, record: Record | None, known: str) -> Result | None:
        """Return what needs no token request: a newer token, or a known trouble."""
        now, wall = self._clock.now(), self._clock.wall()
        token = token_of(record, now, wall)
        if token is not None and token.fingerprint != known:
            if self._held.usable(token, now):
                return Success(token)
            if not self._held.alive(now) and now < token.expires_at:
                # Nearly ended, but served as long as no new one can be had.
                self._held.adopt(token, now)
        return self._known.failure(record)

    def _shared(self, result: Result, cause: str, begun: float) -> Result:
        if isinstance(result, Success):
            self._telling.shared(result.token, cause, begun)
        return result
