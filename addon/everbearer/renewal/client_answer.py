"""
What came of a client's own redeem: saved, or what its lack means.

The answer is the client's, but the refresh token in it is our next one: it is
saved as that of a renewal of ours is, in the order of which is client_redeem.
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
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.oauth.token_response import parse_token_response
from everbearer.oauth.tokens import AccessToken
from everbearer.renewal.chain import carried_on, fallen_back
from everbearer.renewal.copies import same_tokens
from everbearer.renewal.redeeming import STORE_RETRY
from everbearer.renewal.token_request import Issued
from everbearer.renewal.trouble import as_told, trouble_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from everbearer.oauth.client_form import Redeem
    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.token_response import TokenAnswer
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.saving import Saving
    from everbearer.renewal.telling import Telling
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Intent, Record, Store

_OVERTAKEN: Final = "another process changed the grant meanwhile"


@dataclass(frozen=True, slots=True)
class Terms:
    """What every redeem of one grant needs."""

    profile: Profile
    grant: Grant
    store: Store
    clock: Clock
    random: Random
    telling: Telling
    taken_in: Callable[[AccessToken | None, Secret | None], Awaitable[None]]
    """Called with the new pair, or what is good of it, once it is in the store."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When the redeem was let go, on both clocks, and the intent before it."""

    at: float
    wall: float
    earlier: Intent | None


class Keeping:
    """
    Keeps what came of one redeem, for the holder of the grant's lock.

    *on_disk* is called once what came is in an emergency copy.
    """

    def __init__(
        self,
        redeem: Redeem,
        terms: Terms,
        saving: Saving,
        on_disk: Callable[[], None],
    ) -> None:
        self._redeem = redeem
        self._terms = terms
        self._saving = saving
        self._on_disk = on_disk
        self.coming: Secret | None = None
        """The refresh token that came, on its way to the store."""

    async def keep(self, record: Record, moment: Sent, answer: TokenAnswer) -> None:
        """Save the pair that came, or what its lack means."""
        terms = self._terms
        try:
            response = parse_token_response(
                answer,
                default_expires_in=terms.profile.default_expires_in,
                needs_refresh_token=True,
                now=terms.clock.wall(),
            )
        except GrantError as error:
            await self._fail(record, moment.earlier, error)
            return
        self.coming = response.refresh_token
        end = moment.at + response.expires_in
        token = AccessToken(response.access_token, moment.at, end)
        new = Issued(token, moment.wall, response.refresh_token).saved_in(record)
        stored = await self._saving.persist(record, new, self._failing)
        if stored.access_token != new.access_token:
            self.tell_lost(_OVERTAKEN)
            return
        terms.telling.client_redeemed(
            "saved",
            "a client redeemed the refresh token by itself, the next one is saved",
            token=token,
        )
        await terms.taken_in(token, response.refresh_token)

    def _failing(self, copied: bool) -> None:
        if copied:
            self._on_disk()

    async def _fail(
        self, record: Record, earlier: Intent | None, error: GrantError
    ) -> None:
        terms = self._terms
        carried = carried_on(record, terms.grant, self._redeem.refresh_token, error)
        # What the server says to another client is no word on our grant.
        ours = self._redeem.client_id == terms.grant.client_id
        if carried is not None:
            await self._keep_carried(record, carried, error)
        elif isinstance(error, ReauthorizationRequired) and ours:
            await self._refused(record, error)
        elif isinstance(error, ReauthorizationRequired | TokenRequestRejected):
            # Nothing was redeemed.
            await self._note(replace(record, intent=earlier))
        elif isinstance(error, TokenResponseMalformed):
            self.tell_lost(error.message)

    async def _keep_carried(
        self, record: Record, carried: Record, error: GrantError
    ) -> None:
        """Save the refresh token of a malformed response, with the trouble."""
        terms = self._terms
        self.coming = carried.refresh_token
        wall = terms.clock.wall()
        trouble = trouble_of(error, record.trouble, terms.grant, wall, terms.random)
        new = replace(carried, trouble=trouble)
        stored = await self._saving.persist(record, new, self._failing)
        if not same_tokens(stored, new):
            self.tell_lost(_OVERTAKEN)
            return
        told = as_told(error, terms.grant, terms.profile.name, trouble.wait)
        terms.telling.failed(told, "client", trouble.wait)
        await terms.taken_in(None, carried.refresh_token)

    async def _refused(self, record: Record, error: ReauthorizationRequired) -> None:
        """Note that the refresh token is dead, and with the last one the grant."""
        terms = self._terms
        if (
            second := fallen_back(record, terms.grant, self._redeem.refresh_token)
        ) is not None:
            await self._note(second)
            self.tell_lost(f"{error.message}; another one is tried next")
            return
        wall = terms.clock.wall()
        trouble = trouble_of(error, record.trouble, terms.grant, wall, terms.random)
        if await self._note(replace(record, trouble=trouble, intent=None)):
            told = as_told(error, terms.grant, terms.profile.name, math.inf)
            terms.telling.failed(told, "client", math.inf)
        else:
            # No last word: where the lock was lost, another may have redeemed it.
            self.tell_lost(f"{error.message}, which could not be noted")

    async def _note(self, record: Record) -> bool:
        """Save *record*; tell whether all processes know of it now."""
        try:
            await self._saving.save(record)
        except StoreConflict:
            return False
        except StoreError as unsaved:
            self._terms.telling.failed(unsaved, "client", STORE_RETRY)
            return False
        return True

    def tell_lost(self, why: str) -> None:
        """Tell that what came is not known to us."""
        self._terms.telling.client_redeemed(
            "lost",
            f"a client redeemed the refresh token by itself, and {why}",
            hint="the next renewal shows whether the grant is alive; take the"
            " client's own refreshing off: everbearer renews by itself",
        )
