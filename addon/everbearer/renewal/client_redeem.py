"""
A client's own redeem of a refresh token that is ours, made a renewal of ours.

Whoever redeems a refresh token has the next one, and who does not know of it has
none. So such a redeem takes the grant's lock before it leaves, in the order of
our own renewals: lock → load again → record the intent → let it go → save what
came durably → only then let the client have it. The lock is held by a task of
its own, which always ends: nobody who leaves, is killed or forgets leaves a lock
behind.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from everbearer.errors import (
    GrantError,
    ReauthorizationRequired,
    StoreError,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
    stopping,
)
from everbearer.oauth.token_response import parse_token_response
from everbearer.oauth.tokens import AccessToken
from everbearer.renewal.flight import PATIENCE
from everbearer.renewal.held import Held
from everbearer.renewal.redeeming import STORE_RETRY
from everbearer.renewal.rescuing import Rescuing
from everbearer.renewal.saving import Saving
from everbearer.renewal.token_request import Issued
from everbearer.renewal.trouble import as_told, trouble_of
from everbearer.stores.contract import Intent, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from everbearer.oauth.client_form import Redeem
    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.token_response import TokenAnswer
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.telling import Telling
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store
    from everbearer.tasks import Tasks

ANSWER_PATIENCE: Final = 60.0
"""Seconds that an answer is waited for, and the lock held, before it is cut off."""

_BUSY_RETRY: Final = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """What every redeem of one grant needs."""

    profile: Profile
    grant: Grant
    store: Store
    clock: Clock
    random: Random
    telling: Telling
    taken_in: Callable[[Secret | None], Awaitable[None]]
    """Called with the new refresh token once the pair is in the store."""


class ClientRedeem:
    """
    One redeem of the grant's current refresh token, under the grant's lock.

    First `admitted`, then one of `answered` and `lost`. *cut* is called where no
    answer comes in time, and must keep the redeem from going on: the lock is
    let go of right after it.
    """

    def __init__(
        self, redeem: Redeem, terms: Terms, tasks: Tasks, cut: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._redeem = redeem
        self._terms = terms
        self._cut = cut
        self._saving = Saving(
            terms.profile.key, terms.store, terms.clock, terms.telling
        )
        self._admission: asyncio.Future[bool | StoreError] = loop.create_future()
        self._answer: asyncio.Future[TokenAnswer | str] = loop.create_future()
        self._on_disk: asyncio.Future[None] = loop.create_future()
        self._sent = (0.0, 0.0)
        name = f"client's redeem for {terms.profile.name}"
        self.task = tasks.spawn(self._run(), name=name)

    async def admitted(self) -> bool:
        """
        Wait for the lock; tell whether it is held and the redeem ours to watch.

        False where the refresh token was replaced meanwhile. Raises StoreError,
        and TokenEndpointUnavailable where another redeem takes too long: there
        are never two at once. Whoever is not told True ends `task`.
        """
        first: set[asyncio.Future[Any]] = {self._admission, self.task}
        await asyncio.wait(first, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if self._admission.done():
            admission = self._admission.result()
            if isinstance(admission, StoreError):
                raise admission
            return admission
        if self.task.done():
            raise stopping()
        raise TokenEndpointUnavailable(
            f"the refresh token of profile {self._terms.profile.name} is being"
            f" redeemed already, for more than {PATIENCE:.0f} s",
            hint="try again; or take the client's own refreshing off, everbearer"
            " renews by itself",
            retry_after=_BUSY_RETRY,
        )

    async def answered(self, answer: TokenAnswer) -> None:
        """
        Return once what came is on disk, in the store or in an emergency copy.

        Or will not be; or after 30 s, while it is tried on and on.
        """
        if not self._answer.done():
            self._answer.set_result(answer)
        first: set[asyncio.Future[Any]] = {self._on_disk, self.task}
        await asyncio.wait(first, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)

    def lost(self, why: str) -> None:
        """End it: nobody will know what came."""
        if not self._answer.done():
            self._answer.set_result(why)

    async def stop(self, patience: float) -> None:
        """End soon: at once, or when what was let go has come and is saved."""
        if self._admission.done():
            await asyncio.wait({self.task}, timeout=patience)
        self.task.cancel()
        await asyncio.wait({self.task})

    # -- under the lock -----------------------------------------------------

    async def _run(self) -> None:
        terms = self._terms
        try:
            async with terms.store.exclusive(terms.profile.key):
                record = await self._loaded()
                if current(record, terms.grant) != self._redeem.refresh_token:
                    self._admission.set_result(False)
                    return
                intent = Intent(
                    terms.clock.wall(), self._redeem.refresh_token.fingerprint()
                )
                # Proves as well that the store can be written.
                intending = await self._saving.save(replace(record, intent=intent))
                self._sent = (terms.clock.now(), terms.clock.wall())
                self._admission.set_result(True)
                answer = await self._awaited()
                if isinstance(answer, str):
                    self._tell_lost(answer)
                else:
                    await self._keep(intending, record.intent, answer)
        except StoreError as error:
            if not self._admission.done():
                self._admission.set_result(error)
                return
            self._tell_lost(f"what came could not be saved: {error.message}")

    async def _loaded(self) -> Record:
        """Return the record, with what another could not save taken in."""
        terms = self._terms
        rescuing = Rescuing(
            terms.profile.key,
            terms.grant.seed,
            Held(),
            store=terms.store,
            clock=terms.clock,
            saving=self._saving,
            telling=terms.telling,
        )
        record = await terms.store.load(terms.profile.key)
        return await rescuing.take_in(record) or Record()

    async def _awaited(self) -> TokenAnswer | str:
        await asyncio.wait({self._answer}, timeout=ANSWER_PATIENCE)
        if not self._answer.done():
            self._cut()
            return f"no answer came within {ANSWER_PATIENCE:.0f} s, it was cut off"
        return self._answer.result()

    async def _keep(
        self, record: Record, earlier: Intent | None, answer: TokenAnswer
    ) -> None:
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
            await self._fail(record, earlier, error)
            return
        now, wall = self._sent
        token = AccessToken(response.access_token, now, now + response.expires_in)
        new = Issued(token, wall, response.refresh_token).saved_in(record)
        stored = await self._saving.persist(record, new, self._failing)
        if stored.access_token != new.access_token:
            self._tell_lost("another process changed the grant meanwhile")
            return
        terms.telling.client_redeemed(
            "saved",
            "a client redeemed the refresh token by itself, the next one is saved",
            token=token,
        )
        await terms.taken_in(response.refresh_token)

    def _failing(self, copied: bool) -> None:
        if copied and not self._on_disk.done():
            self._on_disk.set_result(None)

    async def _fail(
        self, record: Record, earlier: Intent | None, error: GrantError
    ) -> None:
        terms = self._terms
        # What the server says to another client is no word on our grant.
        ours = self._redeem.client_id == terms.grant.client_id
        if isinstance(error, ReauthorizationRequired) and ours:
            wall = terms.clock.wall()
            trouble = trouble_of(error, record.trouble, terms.grant, wall, terms.random)
            await self._note(replace(record, trouble=trouble, intent=None))
            told = as_told(error, terms.grant, terms.profile.name, math.inf)
            terms.telling.failed(told, "client", math.inf)
        elif isinstance(error, ReauthorizationRequired | TokenRequestRejected):
            # Nothing was redeemed.
            await self._note(replace(record, intent=earlier))
        elif isinstance(error, TokenResponseMalformed):
            self._tell_lost(error.message)

    async def _note(self, record: Record) -> None:
        try:
            await self._saving.save(record)
        except StoreError as unsaved:
            self._terms.telling.failed(unsaved, "client", STORE_RETRY)

    def _tell_lost(self, why: str) -> None:
        self._terms.telling.client_redeemed(
            "lost",
            f"a client redeemed the refresh token by itself, and {why}",
            hint="the next renewal shows whether the grant is alive; take the"
            " client's own refreshing off: everbearer renews by itself",
        )


def current(record: Record | None, grant: Grant) -> Secret | None:
    """Return the refresh token that the next renewal redeems."""
    return (record.refresh_token if record else None) or grant.seed
