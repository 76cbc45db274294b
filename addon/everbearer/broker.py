"""
The one door between the shells and everything below.

A broker holds one configuration in force and the running parts that belong to
it. Shells ask it what to do with a request (`decide`), for a token
(`credential`), for another one after a 401 (`recover`), and listen to what
happened (`subscribe`). A reload swaps the whole configuration at once; what has
not changed of it keeps running.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import ConfigError
from everbearer.events import ConfigurationChanged, DefaultChosen
from everbearer.policy.decide import decide
from everbearer.renewal.client_redeems import ClientRedeems
from everbearer.renewal.clock import SystemClock
from everbearer.renewal.issued import IssuedTokens
from everbearer.renewal.managers import Managers
from everbearer.schemes import SCHEMES
from everbearer.schemes.contract import Credential
from everbearer.settings.load import load
from everbearer.settings.locate import locate
from everbearer.settings.source import Source
from everbearer.stores import open_store
from everbearer.subscribers import Subscribers
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from everbearer.errors import Problem
    from everbearer.oauth.tokens import AccessToken
    from everbearer.policy.rules import RuleSet
    from everbearer.policy.verdict import Verdict
    from everbearer.policy.view import RequestView
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.consent import Consent
    from everbearer.renewal.manager import TokenManager
    from everbearer.renewal.status import ProfileStatus
    from everbearer.schemes.contract import Scheme
    from everbearer.settings.model import Profile, Settings, Standing
    from everbearer.settings.source import Load
    from everbearer.stores.contract import Store

type Objections = Callable[[RuleSet], Iterable[Problem]]  # to a reload

_WATCH_EVERY: Final = 1.0
"""Seconds between two looks at the files of the configuration."""

_KEEP_ALIVE_EVERY: Final = 3600.0
"""Seconds between two looks at the grants that nobody uses."""

_LOOK_PATIENCE: Final = 1.0
"""Seconds; a look into the store only spares a request its 401."""


@dataclass(frozen=True, slots=True)
class _Running:
    """One configuration and its running parts, swapped as a whole."""

    settings: Settings
    rules: RuleSet
    managers: Managers


class Broker:
    """
    Configuration, tokens and decisions, for one event loop.

    `load` is called in a thread by `reload()`. Nothing is asked of any server
    before the first request needs a token, but by `keep_alive`.
    """

    def __init__(
        self,
        settings: Settings,
        load: Load,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
    ) -> None:
        self._source = Source(settings, load)
        self._clock = clock or SystemClock()
        subscribers = Subscribers()
        self.subscribe = subscribers.subscribe
        self.publish = subscribers.publish
        self.issued = IssuedTokens()
        # Of profiles that a reload took away as well: requests are under way.
        self._schemes: dict[str, str] = {}
        self._tasks = Tasks()
        self.keep = self._tasks.keep  # what it begins has ended before `stop` has
        self._store = store or open_store(settings.store)
        self._parts = self._store, self._clock, self.publish, self._tasks
        self._running = self._build(settings, None)
        self.client_redeems = ClientRedeems(
            lambda: self._running.managers, self.issued, *self._parts
        )
        self._reload_lock = asyncio.Lock()
        self._objections: list[Objections] = []
        self._stopped = False

    @classmethod
    def from_file(cls, config: Path | None, environ: Mapping[str, str]) -> Broker:
        """
        Return a broker of the configuration that *config* or *environ* names.

        Blocks: not to be called on an event loop. Raises ConfigError, StoreError.
        """
        path = locate(config, environ)
        return cls(load(path, environ), lambda: load(path, environ))

    # -- what shells ask ----------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._running.settings

    @property
    def rules(self) -> RuleSet:
        """The rules in force."""
        return self._running.rules

    @property
    def standing(self) -> Standing:
        """Where it is, and why what is there is not in force; no problems if it is."""
        return self._source.standing(self.settings)

    @property
    def clock(self) -> Clock:
        """The clock that everything here goes by."""
        return self._clock

    def decide(self, view: RequestView) -> Verdict:
        """Say what happens to a request; total and pure (policy.decide)."""
        return decide(view, self._running.rules)

    def scheme(self, profile: str) -> Scheme:
        """Return how requests of *profile* are authorised."""
        return SCHEMES[self._schemes[profile]]

    def ready(self, profile: str) -> Credential | None:
        """Return a credential if one can be had without waiting."""
        manager = self.manager(profile)
        token = manager.ready(self._clock.now())
        return None if token is None else self._hand_out(manager.profile, token)

    async def look(self, profile: str) -> None:
        """Take in what another process has saved for *profile*, within a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_PATIENCE):
                await self.manager(profile).look()

    async def credential(self, profile: str) -> Credential:
        """
        Return a credential that is not known to be dead.

        Raises GrantError or StoreError when none can be had in time (30 s), and
        ConfigError when a reload has taken the profile away.
        """
        manager = self.manager(profile)
        return self._hand_out(manager.profile, await manager.credential())

    async def recover(self, profile: str, failed: str) -> Credential:
        """
        Return another credential than the one with the fingerprint *failed*.

        Raises GrantError or StoreError when none can be had, and ConfigError
        when a reload has taken the profile away.
        """
        manager = self.manager(profile)
        return self._hand_out(manager.profile, await manager.recover(failed))

    def recover_later(self, profile: str, failed: str) -> None:
        """Renew in the background, for a request that cannot wait for it."""
        with contextlib.suppress(ConfigError):  # a reload has taken it away
            self.manager(profile).recover_later(failed)

    def can_renew(self, profile: str) -> bool:
        """Tell whether *profile* can ever have another token than it has."""
        return self.manager(profile).profile.grant is not None

    def manager(self, profile: str) -> TokenManager:
        """Return what keeps the token of *profile*; ConfigError when it is gone."""
        return self._running.managers[profile]

    def consent(self, profile: str) -> Consent:
        """Return what logs *profile* in and out; ConfigError when it cannot."""
        return self._running.managers.consent(profile, *self._parts[:3])

    def use(self, profile: str) -> None:
        """
        Make *profile* `rules.default_profile`, until another is, or it is gone.

        Raises ConfigError, which names the nearest, where there is no such profile.
        """
        self._source.choose(profile, self.settings)
        self._running = replace(self._running, rules=self._source.rules(self.settings))
        self.publish(DefaultChosen(self._clock.wall(), profile))

    async def status(self) -> tuple[ProfileStatus, ...]:
        """Return the state of every profile, without asking any server."""
        return await self._running.managers.status()

    def nonce(self) -> str:
        """Return random text for a scheme."""
        return secrets.token_urlsafe(24)

    # -- life ---------------------------------------------------------------

    async def reload(self) -> bool:
        """
        Read the configuration and put it in force; tell whether that was done.

        A bad one leaves the old in force and is published with its problems. One
        that is read while everbearer stops is not put in force.
        """
        async with self._reload_lock:
            old = self._running
            try:
                settings = await self._source.read()
                if self._stopped:
                    return False  # what would be built now would be stopped by nobody
                self._object(self._source.rules(settings))
                new = self._build(settings, old.managers)
            except ConfigError as error:
                self._source.reject(error, old.settings)
                self._changed()
                return False
            self._running = new
            self._changed(self._source.accept(settings))
            old.managers.retire(new.managers, self._tasks)
            return True

    def vet_reloads(self, objections: Objections) -> None:
        """Reject from now on reloads to rules that *objections* finds fault with."""
        self._objections.append(objections)

    def reload_soon(self) -> None:
        """Reload in the background (a signal arrived)."""
        self._tasks.spawn(self.reload(), name="reload the configuration")

    async def watch(self) -> None:
        """Reload whenever a file of the configuration has changed; never returns."""
        while True:
            await self._clock.sleep(_WATCH_EVERY)
            if await self._source.has_changed():
                await self.reload()

    async def keep_alive(self) -> None:
        """Renew grants that would die because nobody uses them; never returns."""
        while True:
            await self._running.managers.keep_alive()
            await self._clock.sleep(_KEEP_ALIVE_EVERY)

    @property
    def awaited(self) -> str:
        """What `stop` waits for, in words for people; empty for nothing."""
        let_go, kept = self.client_redeems.let_go, self._tasks.kept
        return self._running.managers.awaited(let_go, kept)

    async def stop(self) -> None:
        """
        Wait for what is `awaited`, then let go of everything.

        A second call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        await asyncio.gather(self.client_redeems.stop(), self._running.managers.stop())
        await self._tasks.drain()
        await self._store.close()

    # -- inside -------------------------------------------------------------

    def _object(self, rules: RuleSet) -> None:
        if found := [one for each in self._objections for one in each(rules)]:
            raise ConfigError(*found)

    def _build(self, settings: Settings, old: Managers | None) -> _Running:
        managers = Managers.of(settings, old, *self._parts)
        self._schemes |= {name: each.scheme for name, each in settings.profiles.items()}
        return _Running(settings, self._source.rules(settings), managers)

    def _changed(self, restart: tuple[str, ...] = ()) -> None:
        source, found = str(self.settings.source), self._source.problems
        self.publish(ConfigurationChanged(self._clock.wall(), source, found, restart))

    def _hand_out(self, profile: Profile, token: AccessToken) -> Credential:
        self.issued.handed_out.note(token.fingerprint, profile.name)
        return Credential(profile.name, token, profile.as_user)
