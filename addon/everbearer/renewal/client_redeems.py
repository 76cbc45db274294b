"""Which redeems of clients concern a grant of ours, and all that are under way."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from everbearer.errors import stopping
from everbearer.recent import Recent
from everbearer.renewal.chain import refresh_tokens
from everbearer.renewal.client_answer import Terms
from everbearer.renewal.client_redeem import ClientRedeem
from everbearer.renewal.telling import Telling
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from everbearer.events import Publish
    from everbearer.oauth.client_form import Redeem
    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.issued import IssuedTokens
    from everbearer.renewal.manager import TokenManager
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store
    from everbearer.tasks import Tasks

STOP_PATIENCE: Final = 30.0
"""Seconds that stopping waits for the answer to what was let go."""

_SEEN_MEMORY: Final = 64
"""How many fingerprints of refresh tokens that were ours once are remembered."""


class ClientRedeems:
    """
    The redeems of clients, for one event loop.

    *managers* are those in force at the moment of asking; *issued* learns which
    access tokens came.
    """

    def __init__(
        self,
        managers: Callable[[], Iterable[TokenManager]],
        issued: IssuedTokens,
        store: Store,
        clock: Clock,
        publish: Publish,
        tasks: Tasks,
    ) -> None:
        self._managers = managers
        self._issued = issued
        self._store = store
        self._clock = clock
        self._random = secrets.SystemRandom()
        self._publish = publish
        self._tasks = tasks
        self._under_way: set[ClientRedeem] = set()
        self._seen: Recent[str, str] = Recent(_SEEN_MEMORY)  # fingerprint → profile
        self._stopped = False

    def may_concern(self, asked: Callable[[str], bool]) -> bool:
        """Tell whether *asked* holds of the token endpoint of a grant that rotates."""
        return any(True for _ in self._rotating(asked))

    async def begin(
        self, asked: Callable[[str], bool], redeem: Redeem, cut: Callable[[], None]
    ) -> ClientRedeem | None:
        """
        Return the redeem once it may leave; None where it is none of ours.

        *cut* is that of ClientRedeem. Raises as `ClientRedeem.admitted` does: it
        must not leave then. A refresh token of ours that was replaced before is
        told of and none of ours any more.
        """
        if self._stopped:
            raise stopping()
        for profile, grant in self._rotating(asked):
            # In the order in which a refresh token moves: from memory to a copy
            # and into the store. So none is missed that moves meanwhile.
            coming = {r.coming for r in self._under_way if r.key == profile.key}
            copies = (await self._store.rescued(profile.key)).copies
            newer = {copy.record.refresh_token for copy in copies}
            record = await self._store.load(profile.key)
            known = refresh_tokens(record or Record(), grant.seed)
            self._see(profile, grant.seed, *known)
            if redeem.refresh_token in {*known, *newer, *coming}:
                return await self._admit(profile, grant, redeem, cut)
        self._tell_if_old(redeem)
        return None

    @property
    def let_go(self) -> frozenset[str]:
        """The profiles whose refresh token a client redeems at this moment."""
        return frozenset(each.profile for each in self._under_way if each.let_go)

    async def stop(self) -> None:
        """Let what was let go be answered and saved, for a while; admit no more."""
        self._stopped = True
        await asyncio.gather(*(each.stop(STOP_PATIENCE) for each in self._under_way))

    async def _admit(
        self, profile: Profile, grant: Grant, redeem: Redeem, cut: Callable[[], None]
    ) -> ClientRedeem | None:
        begun = ClientRedeem(redeem, self._terms(profile, grant), self._tasks, cut)
        try:
            self._under_way.add(begun)
            begun.task.add_done_callback(lambda _: self._under_way.discard(begun))
            if await begun.admitted():
                return begun
        except BaseException:
            # It has not left, and its client is told: there is nothing to cut off.
            begun.lost("it did not leave")
            begun.task.cancel()  # and the lock is free
            raise
        self._tell_if_old(redeem)
        return None

    def _rotating(
        self, asked: Callable[[str], bool]
    ) -> Iterable[tuple[Profile, Grant]]:
        for manager in self._managers():
            profile = manager.profile
            grant = profile.grant
            if grant is not None and grant.rotates and asked(profile.token_url):
                yield profile, grant

    def _terms(self, profile: Profile, grant: Grant) -> Terms:
        return Terms(
            profile=profile,
            grant=grant,
            store=self._store,
            clock=self._clock,
            random=self._random,
            telling=Telling(profile.name, self._clock, self._publish),
            taken_in=lambda *pair: self._take_in(profile, *pair),
        )

    async def _take_in(
        self, profile: Profile, token: AccessToken | None, refresh_token: Secret | None
    ) -> None:
        if token is not None:
            # The client sends it from now on; where it is dead, ours takes its place.
            self._issued.redeemed.note(token.fingerprint, profile.name)
        self._see(profile, refresh_token)
        for manager in self._managers():
            if manager.profile.key == profile.key:
                await manager.look()

    def _see(self, profile: Profile, *tokens: Secret | None) -> None:
        for token in filter(None, tokens):
            self._seen[token.fingerprint()] = profile.name

    def _tell_if_old(self, redeem: Redeem) -> None:
        profile = self._seen.get(redeem.refresh_token.fingerprint())
        if profile is None:
            return
        Telling(profile, self._clock, self._publish).client_redeemed(
            "old",
            "a client redeems a refresh token that was replaced before",
            hint="take the client's own refreshing off: everbearer renews by itself",
        )
