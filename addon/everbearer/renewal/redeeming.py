"""
One redeem: the intent on disk → token request → save durably → only then serve.

The intent is cleared by the save that brings the token. What must be kept is kept
whatever fails: a refresh token that came takes the place of the one before.
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
from everbearer.renewal.chain import carried_on, current, fallen_back
from everbearer.renewal.copies import same_tokens
from everbearer.renewal.held import token_of, without_dead
from everbearer.renewal.trouble import (
    Failure,
    Result,
    Success,
    as_told,
    needs_person,
    trouble_of,
)
from everbearer.stores.contract import Intent, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.held import Held
    from everbearer.renewal.known_trouble import KnownTrouble
    from everbearer.renewal.saving import Saving
    from everbearer.renewal.telling import Telling
    from everbearer.renewal.token_request import Issued, TokenRequests
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store

STORE_RETRY: Final = 5.0
"""Seconds after which a store that failed is asked again."""


@dataclass(frozen=True, slots=True)
class Attempt:
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


class Redeeming:
    """Redeems one grant, for the holder of its lock."""

    def __init__(
        self,
        profile: Profile,
        grant: Grant,
        held: Held,
        *,
        store: Store,
        requests: TokenRequests,
        saving: Saving,
        clock: Clock,
        random: Random,
        known: KnownTrouble,
        telling: Telling,
    ) -> None:
        self._name = profile.name
        self._key = profile.key
        self._grant = grant
        self._held = held
        self._store = store
        self._requests = requests
        self._saving = saving
        self._clock = clock
        self._random = random
        self._known = known
        self._telling = telling
        self.redeeming = False
        """From the intent to the disk: not to be cancelled without need."""

    async def redeem(self, record: Record, attempt: Attempt) -> Result:
        """
        Send a token request and return what came of it, saved.

        *record* is the stored one, loaded by the holder of the lock. Raises
        StoreError where the intent cannot be saved: then nothing was asked for.
        """
        refresh_token = current(record, self._grant)
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
        return without_dead(replace(record, intent=intent), self._held)

    async def _fail(
        self, record: Record, error: GrantError, attempt: Attempt
    ) -> Result:
        redeemed = current(record, self._grant)
        carried = carried_on(record, self._grant, redeemed, error)
        if carried is not None:
            return await self._keep_carried(record, carried, error, attempt)
        if isinstance(error, ReauthorizationRequired) and (
            second := fallen_back(record, self._grant, redeemed)
        ):
            return await self.redeem(second, attempt)
        if isinstance(error, ReauthorizationRequired) and attempt.repeats(record):
            error = ReauthorizationRequired(
                "the answer to an earlier redeem was lost, and the refresh token has"
                f" been refused since: {error.message}"
            )
        wall = self._clock.wall()
        trouble = trouble_of(error, record.trouble, self._grant, wall, self._random)
        final = needs_person(trouble)
        failed = replace(
            without_dead(record, self._held),
            trouble=trouble,
            intent=None if final else record.intent,
        )
        try:
            await self._saving.save(failed)
        except StoreConflict:
            # The lock was lost: what failed may have failed because of that.
            stored = await self._store.load(self._key)
            return self._overtaken(stored or Record(), attempt)
        except StoreError as unsaved:
            # Told beside what it hides: the others do not know of the failure.
            self._telling.failed(unsaved, attempt.cause, STORE_RETRY)
        self._known.made(trouble, failed)
        wait = math.inf if final else trouble.wait
        told = as_told(error, self._grant, self._name, wait)
        self._telling.failed(told, attempt.cause, wait)
        return Failure(told, wait)

    # -- keeping what came --------------------------------------------------

    async def _keep_carried(
        self, record: Record, carried: Record, error: GrantError, attempt: Attempt
    ) -> Result:
        """Keep the refresh token of a malformed response, with the trouble."""
        wall = self._clock.wall()
        trouble = trouble_of(error, record.trouble, self._grant, wall, self._random)
        new = replace(without_dead(carried, self._held), trouble=trouble)
        stored = await self._persist(record, new, None, attempt)
        if not same_tokens(stored, new):
            return self._overtaken(stored, attempt)
        self._known.made(trouble, stored)
        wait = trouble.wait
        told = as_told(error, self._grant, self._name, wait)
        self._telling.failed(told, attempt.cause, wait)
        return Failure(told, wait)

    async def _keep(self, record: Record, issued: Issued, attempt: Attempt) -> Result:
        now, wall = self._clock.now(), self._clock.wall()
        old = token_of(record, now, wall)
        if flaw := self._flaw(issued.token, old, now):
            return await self._keep_flawed(record, issued, flaw, old, attempt)
        new = issued.saved_in(record)
        stored = await self._persist(record, new, issued.token, attempt)
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
        attempt: Attempt,
    ) -> Result:
        """Keep the refresh token alone: the one before it may be gone."""
        wall = self._clock.wall()
        trouble = trouble_of(flaw, record.trouble, self._grant, wall, self._random)
        same = old is not None and old.fingerprint == issued.token.fingerprint
        if old is not None and same:
            # At its end, and not later, the server's word counts again.
            wait = min(trouble.wait, old.expires_at - self._clock.now())
            trouble = replace(trouble, not_before=wall + wait, wait=wait)
        kept = without_dead(record, self._held)
        new = replace(issued.rotated_in(kept), trouble=trouble)
        self._known.made(trouble, await self._persist(record, new, None, attempt))
        wait = trouble.wait
        self._telling.failed(flaw, attempt.cause, wait)
        if old is not None and same and not self._held.is_dead(old.fingerprint):
            return Success(old, retry_after=wait)  # no progress, and no harm
        return Failure(flaw, wait)

    async def _persist(
        self, basis: Record, new: Record, token: AccessToken | None, attempt: Attempt
    ) -> Record:
        """Save *new*; while that fails, *token* may be served once it is on disk."""

        def failing(copied: bool) -> None:
            if copied:
                self.redeeming = False
                if token is not None and not self._held.is_dead(token.fingerprint):
                    self._held.spare = token
            attempt.stuck()

        return await self._saving.persist(basis, new, failing)

    def _overtaken(self, stored: Record, attempt: Attempt) -> Result:
        """Return what another made of the grant although its lock was ours."""
        now = self._clock.now()
        token = token_of(stored, now, self._clock.wall())
        if token is not None and self._held.usable(token, now):
            self._telling.shared(token, attempt.cause, attempt.begun)
            return Success(token)
        error = StoreConflict("another process changed the grant during a renewal")
        self._telling.failed(error, attempt.cause, STORE_RETRY)
        return Failure(error, STORE_RETRY)
