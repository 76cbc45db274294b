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
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from everbearer.errors import (
    StoreError,
    TokenEndpointUnavailable,
    stopping,
)
from everbearer.renewal.chain import refresh_tokens
from everbearer.renewal.client_answer import Keeping, Sent
from everbearer.renewal.flight import PATIENCE
from everbearer.renewal.held import Held
from everbearer.renewal.rescuing import Rescuing
from everbearer.renewal.saving import Saving
from everbearer.stores.contract import Intent, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.oauth.client_form import Redeem
    from everbearer.oauth.token_response import TokenAnswer
    from everbearer.renewal.client_answer import Terms
    from everbearer.secret import Secret
    from everbearer.stores.contract import GrantKey
    from everbearer.tasks import Tasks

ANSWER_PATIENCE: Final = 60.0
"""Seconds that an answer is waited for, and the lock held, before it is cut off."""

_BUSY_RETRY: Final = 5


class ClientRedeem:
    """
    One redeem of a refresh token that may be the grant's, under its lock.

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
        self._keeping = Keeping(redeem, terms, self._saving, self._copied)
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
            f"a refresh token of profile {self._terms.profile.name} is being"
            f" redeemed, or saved, for more than {PATIENCE:.0f} s",
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

    @property
    def key(self) -> GrantKey:
        """Whose refresh token it is."""
        return self._terms.profile.key

    @property
    def profile(self) -> str:
        """The profile's name."""
        return self._terms.profile.name

    @property
    def coming(self) -> Secret | None:
        """The refresh token that came, on its way to the store."""
        return self._keeping.coming

    @property
    def let_go(self) -> bool:
        """It was let go, and neither is what came saved nor has it been given up."""
        admitted = self._admission.done() and self._admission.result() is True
        return admitted and not self.task.done()

    async def stop(self, patience: float) -> None:
        """
        End soon: at once, or when what was let go has come and is saved.

        What has no answer by then is cut off before the lock is let go of.
        """
        if self._admission.done():
            await asyncio.wait({self.task}, timeout=patience)
        if self.let_go and not self._answer.done():
            self._cut()
            self.lost("no answer came before everbearer stopped, it was cut off")
            await asyncio.wait({self.task}, timeout=patience)
        self.task.cancel()
        await asyncio.wait({self.task})

    # -- under the lock -----------------------------------------------------

    async def _run(self) -> None:
        terms = self._terms
        try:
            async with terms.store.exclusive(terms.profile.key):
                record = await self._loaded()
                known = refresh_tokens(record, terms.grant.seed)
                if self._redeem.refresh_token not in known:
                    self._admission.set_result(False)
                    return
                intent = Intent(
                    terms.clock.wall(), self._redeem.refresh_token.fingerprint()
                )
                # Proves as well that the store can be written.
                intending = await self._saving.save(replace(record, intent=intent))
                sent = Sent(terms.clock.now(), terms.clock.wall(), record.intent)
                self._admission.set_result(True)
                answer = await self._awaited()
                if isinstance(answer, str):
                    self._keeping.tell_lost(answer)
                else:
                    await self._keeping.keep(intending, sent, answer)
        except StoreError as error:
            if not self._admission.done():
                self._admission.set_result(error)
                return
            self._keeping.tell_lost(f"what came could not be saved: {error.message}")

    async def _loaded(self) -> Record:
        """Return the record, with what another could not save taken in."""
        terms = self._terms
        rescuing = Rescuing(terms.grant.seed, Held(), self._saving)
        record = await terms.store.load(terms.profile.key)
        return await rescuing.take_in(record) or Record()

    def _copied(self) -> None:
        if not self._on_disk.done():
            self._on_disk.set_result(None)

    async def _awaited(self) -> TokenAnswer | str:
        try:
            await asyncio.wait({self._answer}, timeout=ANSWER_PATIENCE)
        except asyncio.CancelledError:
            if not self._answer.done():
                self._cut()  # the lock is let go of now
            raise
        if not self._answer.done():
            self._cut()
            return f"no answer came within {ANSWER_PATIENCE:.0f} s, it was cut off"
        return self._answer.result()
