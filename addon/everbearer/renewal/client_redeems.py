"""Which redeems of clients concern a grant of ours, and all that are under way."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from everbearer.errors import stopping
from everbearer.recent import Recent
from everbearer.renewal.client_redeem import ClientRedeem, Terms, current
from everbearer.renewal.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from everbearer.events import Publish
    from everbearer.oauth.client_form import Redeem
    from everbearer.oauth.grants.contract import Grant
    from everbearer.renewal.clock import Clock
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

    *managers* are those in force at the moment of asking.
    """

    def __init__(
        self,
        managers: Callable[[], Iterable[TokenManager]],
        store: Store,
        clock: Clock,
        publish: Publish,
        tasks: Tasks,
    ) -> None:
        self._managers = managers
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
            record = await self._store.load(profile.key)
            refresh_token = current(record, grant)
            self._see(profile, grant.seed, refresh_token)
            copy = (await self._store.rescued(profile.key)).record
            newer = copy.refresh_token if copy is not None else None
            if redeem.refresh_token in {refresh_token, newer}:
                return await self._admit(profile, grant, redeem, cut)
        self._tell_if_old(redeem)
        return None

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
            taken_in=lambda token: self._take_in(profile, token),
        )

    async def _take_in(self, profile: Profile, refresh_token: Secret | None) -> None:
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
