"""The token managers of one configuration, and what of them outlives a reload."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, Problem
from everbearer.renewal.consent import Consent
from everbearer.renewal.endpoint import TokenEndpoint
from everbearer.renewal.manager import TokenManager

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from everbearer.events import Publish
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import NetworkSettings, Profile, Settings
    from everbearer.stores.contract import Store
    from everbearer.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Managers:
    """What keeps the tokens of a configuration's profiles, by their names."""

    network: NetworkSettings
    endpoint: TokenEndpoint
    by_name: Mapping[str, TokenManager]
    retired: set[TokenManager] = field(default_factory=set)
    """Those that a reload replaced and that have not ended; the next ones' too."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        before: Managers | None,
        store: Store,
        clock: Clock,
        publish: Publish,
        tasks: Tasks,
    ) -> Managers:
        """
        Return the managers of *settings*.

        Those in *before* whose profile and network are the same are taken over:
        they hold tokens, and renewals under way. Raises ConfigError where
        `ca_file` cannot be used.
        """
        network = settings.network
        if before is not None and before.network == network:
            endpoint, old = before.endpoint, before.by_name
        else:
            endpoint, old = TokenEndpoint(network, clock), {}

        def make(profile: Profile) -> TokenManager:
            return TokenManager(
                profile,
                store=store,
                endpoint=endpoint,
                clock=clock,
                random=secrets.SystemRandom(),
                publish=publish,
                tasks=tasks,
            )

        by_name = {
            name: old[name]
            if name in old and old[name].profile == profile
            else make(profile)
            for name, profile in settings.profiles.items()
        }
        return cls(network, endpoint, by_name, before.retired if before else set())

    def __getitem__(self, profile: str) -> TokenManager:
        """Return what keeps the token of *profile*; ConfigError when it is gone."""
        try:
            return self.by_name[profile]
        except KeyError:
            raise ConfigError(
                Problem("", f"profile {profile} is no longer in the configuration")
            ) from None

    def consent(
        self, profile: str, store: Store, clock: Clock, publish: Publish
    ) -> Consent:
        """Return what logs the profile in and out; ConfigError when it cannot."""
        return Consent(
            self[profile].profile,
            store=store,
            endpoint=self.endpoint,
            clock=clock,
            publish=publish,
        )

    def __iter__(self) -> Iterator[TokenManager]:
        return iter(self.by_name.values())

    async def status(self) -> tuple[ProfileStatus, ...]:
        """Return the state of every profile, without asking any server."""
        return tuple([await manager.status() for manager in self])

    async def keep_alive(self) -> None:
        """Renew the grants that would die because nobody uses them."""
        await asyncio.gather(*(manager.unused.keep_alive() for manager in self))

    def retire(self, after: Managers, tasks: Tasks) -> None:
        """
        Let go of what *after* has not, in the background.

        Who waits for a token has it first, and what was redeemed is saved.
        """
        for manager in set(self) - set(after):
            # At once: a stop may come before the task has begun.
            self.retired.add(manager)
            name = f"retire {manager.profile.name}"
            tasks.spawn(self._retire(manager), name=name)

    async def _retire(self, manager: TokenManager) -> None:
        try:
            await manager.retire()
        finally:
            self.retired.discard(manager)

    def awaited(self, let_go: frozenset[str], kept: Iterable[str]) -> str:
        """
        Return what stopping waits for, in words for people; empty for nothing.

        *let_go* are the profiles whose refresh token a client redeems, *kept* names
        what else was begun and has to end.
        """
        ours = {each.profile.name for each in self._all if each.redeeming}
        names, works = ", ".join(sorted(ours | let_go)), ", ".join(kept)
        ends = [
            f"the new token of {names} is saved" if names else "",
            f"this has ended: {works}" if works else "",
        ]
        if not any(ends):
            return ""
        return (
            f"stopping as soon as {' and '.join(filter(None, ends))}; "
            "another signal ends at once, and may lose it"
        )

    async def stop(self) -> None:
        """End all background work; what is being redeemed is saved first."""
        await asyncio.gather(*(manager.stop() for manager in self._all))

    @property
    def _all(self) -> set[TokenManager]:
        return self.retired.union(self)
