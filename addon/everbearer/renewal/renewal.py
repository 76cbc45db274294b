"""
One renewal of one grant.

The grant's lock → load again: another may have renewed, and that is the answer →
record the intent → token request → save durably → only then serve. The intent is
cleared by the save that brings the token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import (
    GrantError,
    ReauthorizationRequired,
    StoreConflict,
    StoreError,
    TokenResponseMalformed,
)
from everbearer.renewal.held import token_of
from everbearer.renewal.saving import Saving
from everbearer.renewal.telling import Telling
from everbearer.renewal.token_request import TokenRequests
from everbearer.renewal.trouble import (
    Failure,
    Result,
    Success,
    as_told,
    failure_of,
    needs_person,
    trouble_of,
)
from everbearer.stores.contract import Intent, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from everbearer.events import Publish
    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.exchange import Send
    from everbearer.renewal.held import Held
    from everbearer.renewal.token_request import Issued
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store

STORE_RETRY: Final = 5.0
"""Seconds after which a store that failed is asked again."""

SAVE_PATIENCE: Final = 30.0
"""Seconds a save is retried where no old token sets the end."""


class Renewal:
    """
    Renews one grant; the caller runs one at a time in its process.

    Reads from `held` what is served and what is dead, at each moment that
    matters, and changes nothing of it but to give it a token that is stored.
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
        self._random = random
        self._telling = Telling(profile.name, clock, publish)
        self._requests = TokenRequests(profile, grant, endpoint, clock)
        self._saving = Saving(profile.key, store, clock, self._telling)
        self.redeeming = False
        """From the intent to the save: not to be cancelled without need."""

    async def renew(
        self, cause: str, *, forced: bool, stuck: Callable[[], None]
    ) -> Result:
        """
        Return a token other than the one held; the first look takes no lock.

        *forced* sends a token request whatever the store says; *stuck* is
        called when the new token is there and cannot be saved yet.
        """
        known = self._held.fingerprint
        begun = self._clock.now()
        try:
            if not forced:
                record = await self._store.load(self._profile.key)
                if settled := self._settled(record, known):
                    return self._shared(settled, cause, begun)
            async with self._store.exclusive(self._profile.key):
                record = await self._store.load(self._profile.key)
                if not forced and (settled := self._settled(record, known)):
                    return self._shared(settled, cause, begun)
                return await self._redeem(record or Record(), cause, stuck)
        except StoreError as error:
            self._telling.failed(error, cause, STORE_RETRY)
            return Failure(error, STORE_RETRY)

    async def look(self) -> bool:
        """Hold what another process saved; tell whether it did. Raises StoreError."""
        known = self._held.fingerprint
        record = await self._store.load(self._profile.key)
        now = self._clock.now()
        token = token_of(record, now, self._clock.wall())
        if token is None or not self._held.usable(token, now):
            return False
        # Where a renewal has ended meanwhile, the record is the older of the two.
        return self._held.fingerprint == known and self._held.adopt(token, now)

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
        if record is None or record.trouble is None:
            return None
        return failure_of(record.trouble, self._grant, self._profile.name, wall)

    # -- asking -------------------------------------------------------------

    async def _redeem(
        self, record: Record, cause: str, stuck: Callable[[], None]
    ) -> Result:
        refresh_token = record.refresh_token or self._grant.seed
        attempt = _Attempt(cause, record.intent, self._clock.now(), stuck)
        self.redeeming = True
        try:
            # This save also proves that the store can be written at all, before
            # the server is asked for something that must be kept.
            record = await self._saving.save(self._intending(record, refresh_token))
            try:
                issued = await self._requests.ask(refresh_token)
            except GrantError as error:
                return await self._fail(record, error, attempt)
            return await self._keep(record, issued, attempt)
        finally:
            self.redeeming = False

    def _intending(self, record: Record, refresh_token: Secret | None) -> Record:
        redeemed = refresh_token.fingerprint() if refresh_token else ""
        intent = Intent(self._clock.wall(), redeemed)
        old = record.access_token
        if old is not None and self._held.is_dead(old.fingerprint()):
            # Nobody who reads the store, a restarted process least of all, shall
            # send what the server has refused.
            return replace(record, intent=intent, access_token=None)
        return replace(record, intent=intent)

    async def _fail(
        self, record: Record, error: GrantError, attempt: _Attempt
    ) -> Result:
        if isinstance(error, ReauthorizationRequired) and attempt.repeats(record):
            error = ReauthorizationRequired(
                f"{error.message}; the answer to an earlier redeem was lost"
            )
        wall = self._clock.wall()
        trouble = trouble_of(error, record.trouble, self._grant, wall, self._random)
        final = needs_person(trouble)
        failed = replace(
            record, trouble=trouble, intent=None if final else record.intent
        )
        try:
            await self._saving.save(failed)
        except StoreConflict:
            # The lock was lost: what failed may have failed because of that.
            stored = await self._store.load(self._profile.key)
            return self._overtaken(stored or Record(), attempt)
        except StoreError as unsaved:
            self._telling.unsaved(unsaved, attempt=1)
        wait = math.inf if final else trouble.not_before - wall
        told = as_told(error, self._grant, self._profile.name, wait)
        self._telling.failed(told, attempt.cause, wait)
        return Failure(told, wait)

    # -- keeping what came --------------------------------------------------

    async def _keep(self, record: Record, issued: Issued, attempt: _Attempt) -> Result:
        now, wall = self._clock.now(), self._clock.wall()
        old = token_of(record, now, wall)
        if flaw := self._flaw(issued.token, old, now):
            return await self._keep_flawed(record, issued, flaw, old, attempt)
        new = issued.saved_in(record)
        stored = await self._persist(record, new, attempt)
        if stored.access_token != new.access_token:
            return self._overtaken(stored, attempt)
        self._telling.renewed(issued.token, attempt.cause, attempt.begun)
        return Success(issued.token)

    def _flaw(
        self, token: AccessToken, old: AccessToken | None, now: float
    ) -> TokenResponseMalformed | None:
        """Return why a well-formed token response is of no use."""
        if self._held.is_dead(token.fingerprint):
            return TokenResponseMalformed(
                "the token endpoint gave the access token again that was refused"
            )
        if now >= token.expires_at:
            return TokenResponseMalformed(
                "the access token had ended before the token response arrived"
            )
        if old and old.fingerprint == token.fingerprint and now < old.expires_at:
            return TokenResponseMalformed(
                "the token endpoint gave the same access token again"
            )
        return None

    async def _keep_flawed(
        self,
        record: Record,
        issued: Issued,
        flaw: TokenResponseMalformed,
        old: AccessToken | None,
        attempt: _Attempt,
    ) -> Result:
        """Keep the refresh token alone: the one before it may be gone."""
        wall = self._clock.wall()
        trouble = trouble_of(flaw, record.trouble, self._grant, wall, self._random)
        same = old is not None and old.fingerprint == issued.token.fingerprint
        if same:
            # At its end, and not later, the server's word counts again.
            pause_end = min(trouble.not_before, record.expires_at)
            trouble = replace(trouble, not_before=pause_end)
        new = replace(issued.rotated_in(record), trouble=trouble)
        await self._persist(record, new, attempt)
        wait = trouble.not_before - wall
        self._telling.failed(flaw, attempt.cause, wait)
        if old is not None and same and not self._held.is_dead(old.fingerprint):
            return Success(old, retry_after=wait)  # no progress, and no harm
        return Failure(flaw, wait)

    async def _persist(self, basis: Record, new: Record, attempt: _Attempt) -> Record:
        patience = self._clock.now() + SAVE_PATIENCE
        old = self._held.token
        until = max(old.expires_at, patience) if old else patience
        return await self._saving.persist(basis, new, until=until, stuck=attempt.stuck)

    def _overtaken(self, stored: Record, attempt: _Attempt) -> Result:
        """Return what another made of the grant although its lock was ours."""
        now = self._clock.now()
        token = token_of(stored, now, self._clock.wall())
        if token is not None and self._held.usable(token, now):
            return self._shared(Success(token), attempt.cause, attempt.begun)
        error = StoreConflict("another process changed the grant during a renewal")
        self._telling.failed(error, attempt.cause, STORE_RETRY)
        return Failure(error, STORE_RETRY)

    def _shared(self, result: Result, cause: str, begun: float) -> Result:
        # What lay in the store when we started is no renewal.
        if isinstance(result, Success) and cause != "first":
            self._telling.renewed(result.token, cause, begun, shared=True)
        return result


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Why and when a redeem began, and after which one that did not end."""

    cause: str
    earlier: Intent | None
    begun: float
    stuck: Callable[[], None]

    def repeats(self, record: Record) -> bool:
        """Tell whether the same refresh token was redeemed before, answer unknown."""
        return (
            self.earlier is not None
            and record.intent is not None
            and bool(record.intent.refresh_fingerprint)
            and self.earlier.refresh_fingerprint == record.intent.refresh_fingerprint
        )
