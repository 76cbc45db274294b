"""
When a server retires a refresh token that was redeemed: tried, under the lock.

What comes is saved before anything else is done, as by every renewal. Redeeming a
used refresh token once more is what a thief would do: a strict server ends the
grant for it (RFC 9700 §4.14.2), and then only a new login helps.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import ConfigError, GrantError, Problem
from everbearer.renewal.chain import carried_on, current
from everbearer.renewal.held import Held
from everbearer.renewal.renewal import LOCK_PATIENCE
from everbearer.renewal.rescuing import Rescuing
from everbearer.renewal.saving import Saving
from everbearer.renewal.telling import Telling
from everbearer.renewal.token_request import TokenRequests
from everbearer.stores.contract import Intent, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.exchange import Send
    from everbearer.renewal.token_request import Issued
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store

type Use = Callable[[AccessToken], Awaitable[int]]
"""Uses an access token for a harmless request, and returns the answer's status."""

_SAME: Final = "the same pair again"
_OTHER: Final = "another pair"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was found, in words and statuses; nothing secret."""

    redeemed_again_at_once: str
    new_access_token: int
    redeemed_again_after_use: str
    new_access_token_at_the_end: int


async def try_rotation(
    profile: Profile, *, store: Store, endpoint: Send, clock: Clock, use: Use
) -> Rotation:
    """
    Redeem the refresh token of *profile* up to three times, and use what came.

    Raises ConfigError for a grant that has none, GrantError where the first redeem
    fails, TimeoutError where another process keeps the lock, StoreError.
    """
    if profile.grant is None or not profile.grant.rotates:
        raise ConfigError(
            Problem("", f"profile {profile.name} has no refresh token that rotates")
        )
    trial = _Trial(profile, store, endpoint, clock)
    async with asyncio.timeout(LOCK_PATIENCE) as patience:
        async with store.exclusive(profile.key):
            patience.reschedule(None)  # what is redeemed is saved, however long
            return await trial.run(use)


class _Trial:
    def __init__(
        self, profile: Profile, store: Store, endpoint: Send, clock: Clock
    ) -> None:
        assert profile.grant is not None
        telling = Telling(profile.name, clock, lambda _: None)
        self._profile = profile
        self._grant: Grant = profile.grant
        self._store = store
        self._clock = clock
        self._saving = Saving(profile.key, store, clock, telling)
        self._rescuing = Rescuing(profile.grant.seed, Held(), self._saving)
        self._requests = TokenRequests(profile, profile.grant, endpoint, clock)
        self._newest: Issued | None = None

    async def run(self, use: Use) -> Rotation:
        old = await self._redeem_first()
        at_once = await self._redeem_again(old)
        used = await use(self._token)
        after_use = await self._redeem_again(old)
        return Rotation(at_once, used, after_use, await use(self._token))

    @property
    def _token(self) -> AccessToken:
        assert self._newest is not None
        return self._newest.token

    async def _redeem_first(self) -> Secret | None:
        stored = await self._store.load(self._profile.key)
        record = await self._rescuing.take_in(stored) or Record()
        old = current(record, self._grant)
        record = await self._saving.save(self._intending(record, old))
        try:
            issued = await self._requests.ask(old)
        except GrantError as error:
            await self._keep_carried(record, old, error)
            raise
        await self._keep(record, issued)
        return old

    async def _redeem_again(self, old: Secret | None) -> str:
        assert self._newest is not None
        try:
            issued = await self._requests.ask(old)
        except GrantError as error:
            record = await self._store.load(self._profile.key) or Record()
            await self._keep_carried(self._intending(record, old), old, error)
            return error.code
        same = (
            issued.refresh_token == self._newest.refresh_token
            and issued.token.value == self._newest.token.value
        )
        if not same:
            record = await self._store.load(self._profile.key) or Record()
            await self._keep(record, issued)
        return _SAME if same else _OTHER

    def _intending(self, record: Record, redeemed: Secret | None) -> Record:
        fingerprint = redeemed.fingerprint() if redeemed else ""
        return replace(record, intent=Intent(self._clock.wall(), fingerprint))

    async def _keep_carried(
        self, record: Record, redeemed: Secret | None, error: GrantError
    ) -> None:
        """Keep the refresh token of a malformed response, as every renewal does."""
        carried = carried_on(record, self._grant, redeemed, error)
        if carried is not None:
            await self._saving.persist(record, carried, lambda _: None)

    async def _keep(self, basis: Record, issued: Issued) -> None:
        await self._saving.persist(basis, issued.saved_in(basis), lambda _: None)
        self._newest = issued
