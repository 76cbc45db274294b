"""
The token of one profile: served, watched, renewed in time, healed.

FRESH is served. STALE is served too, and renewed in the background; nobody waits
and a failure is a warning. For an EXPIRED one everybody waits for one renewal; it
is served until its true end when no new one can be had. What the server has
refused is never served again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final

from everbearer.errors import EverbearerError, StoreError, stopping
from everbearer.renewal.developer import DeveloperToken
from everbearer.renewal.flight import PATIENCE, Flight, none_in_time, token_or_raise
from everbearer.renewal.held import Held
from everbearer.renewal.renewal import Renewal
from everbearer.renewal.status import notices_of, status_of
from everbearer.renewal.trouble import Success
from everbearer.renewal.unused import Unused

if TYPE_CHECKING:
    from random import Random

    from everbearer.events import Publish
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.exchange import Send
    from everbearer.renewal.flight import Source
    from everbearer.renewal.status import ProfileStatus
    from everbearer.renewal.trouble import Result
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store
    from everbearer.tasks import Tasks

logger = logging.getLogger(__name__)

WATCH: Final = 0.5
"""Seconds between two looks at the store's generation while a profile is in use."""

IN_USE: Final = 3600.0
"""Seconds after the last request; less for tokens that live less."""

STOP_PATIENCE: Final = 30.0
"""Seconds that stopping waits for a redeem under way to be saved."""

_SHORTEST_WATCH: Final = 0.02
_TIMER_JITTER: Final = 0.1  # of the STALE window, ahead of it


class TokenManager:
    """Keeps the token of one profile, in one event loop."""

    def __init__(
        self,
        profile: Profile,
        *,
        store: Store,
        endpoint: Send,
        clock: Clock,
        random: Random,
        publish: Publish,
        tasks: Tasks,
    ) -> None:
        self.profile = profile
        self._store = store
        self._clock = clock
        self._random = random
        self._tasks = tasks
        self._held = Held()
        self._source: Source
        if profile.grant is not None:
            self._source = Renewal(
                profile,
                profile.grant,
                self._held,
                store=store,
                endpoint=endpoint,
                clock=clock,
                random=random,
                publish=publish,
            )
        else:
            self._source = DeveloperToken(profile, self._held, clock)
        self.unused = Unused(profile, store, clock, publish, self._renew_unused)
        self._flight: Flight | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._due = 0.0  # when the next renewal in the background makes sense
        self._used = 0.0
        self._generation = -1
        self._stopping = False

    # -- asking for a token -------------------------------------------------

    def ready(self, now: float) -> AccessToken | None:
        """Return a token that can be used at once; None: ask `credential`."""
        token = self._held.serving(now)
        if token is None:
            return None
        self._used = now
        if now >= self._held.stale_at and now >= self._due and not self._busy:
            self._depart("stale")
        if self._keeper is None:
            self._attend()
        return token

    async def credential(self) -> AccessToken:
        """
        Return a token that is not known to be dead.

        Raises GrantError or StoreError when none can be had within 30 s.
        """
        cause = "expired" if self._held.token else "first"
        return self.ready(self._clock.now()) or await self._obtain(cause)

    async def recover(self, failed: str) -> AccessToken:
        """
        Return a token other than the one with the fingerprint *failed*.

        What is already there, in memory or in the store, is the answer; else
        all who ask share one renewal. Raises as `credential` does.
        """
        self._held.bury(failed)
        return self.ready(self._clock.now()) or await self._obtain("rejected")

    def recover_later(self, failed: str) -> None:
        """Recover in the background, for a request that cannot wait for it."""
        name = f"recover {self.profile.name}"
        self._tasks.spawn(self._recover_quietly(failed), name=name)

    async def _recover_quietly(self, failed: str) -> None:
        try:
            await self.recover(failed)
        except EverbearerError as error:
            # The renewal itself published its failure with all that is known.
            logger.debug("background recovery failed: %s", error)

    async def renew(self, cause: str = "asked") -> AccessToken:
        """
        Send a token request in any case, past failures notwithstanding.

        Raises GrantError or StoreError although the old token may be alive; where
        the new one cannot be saved, once it is in an emergency copy for 30 s.
        """
        while (under_way := self._flight) is not None:
            await under_way.landing(PATIENCE)
            if under_way is self._flight:
                raise none_in_time(self.profile.name, self._source.unsaved)
        flight = self._depart(cause, forced=True)
        return token_or_raise(await flight.end())

    async def status(self) -> ProfileStatus:
        """Return what is known without asking any server; raises StoreError."""
        now, wall = self._clock.now(), self._clock.wall()
        if (grant := self.profile.grant) is None:
            return status_of(self.profile, self._held, None, now, wall)
        record = await self._store.load(self.profile.key)
        rescued = await self._store.rescued(self.profile.key)
        notices = notices_of(record, grant.seed, rescued, self._source.unsaved)
        return status_of(self.profile, self._held, record, now, wall, notices)

    @property
    def redeeming(self) -> bool:
        """A token was asked for that stopping waits to see saved."""
        return self._flight is not None and self._source.redeeming

    async def retire(self) -> None:
        """
        Stop, once those who wait for a token have it; at most 30 s later.

        What is redeemed by then is saved first, however long it takes; or `stop`.
        """
        if self._flight is not None:
            await self._flight.landing(PATIENCE)
        await self.stop(math.inf)

    async def stop(self, patience: float = STOP_PATIENCE) -> None:
        """
        End all background work; a redeem under way is saved first, within *patience*.

        Whoever still waits for a token gets TokenEndpointUnavailable.
        """
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._flight is not None:
            await self._flight.stop(patience)

    async def _obtain(self, cause: str) -> AccessToken:
        """Wait for the renewal; serve the old token where there is no new one."""
        end = self._clock.now() + PATIENCE
        while (left := end - self._clock.now()) > 0:
            flight = self._flight or self._depart(cause)
            await flight.notice(left)
            if token := self._served():
                return token
            await flight.landing(end - self._clock.now())
            if token := self._served():
                return token
            if (result := flight.result()) is not None:
                # After a success the token was refused while we woke up.
                token_or_raise(result)
        raise none_in_time(self.profile.name, self._source.unsaved)

    def _served(self) -> AccessToken | None:
        now = self._clock.now()
        return self.ready(now) or self._held.alive(now)

    # -- renewing -----------------------------------------------------------

    @property
    def _busy(self) -> bool:
        """No renewal may start in the background."""
        return self._flight is not None or self._stopping

    def _depart(self, cause: str, *, forced: bool = False) -> Flight:
        """Start the one renewal of this process."""
        if self._stopping:
            raise stopping()
        flight = Flight(self._source, self._clock, cause, forced=forced)
        name = f"renew {self.profile.name}"
        flight.task = self._tasks.spawn(self._fly(flight), name=name)
        flight.task.add_done_callback(self._landed)
        self._flight = flight
        # Provisional: the end of this one says when the next makes sense.
        self._due = self._clock.now() + PATIENCE
        return flight

    async def _fly(self, flight: Flight) -> Result:
        result = await flight.fly()
        now = self._clock.now()
        if isinstance(result, Success):
            self._held.adopt(result.token, now)
            if self._held.fingerprint == result.token.fingerprint:
                self._schedule()
        if result.retry_after is not None:
            self._due = now + result.retry_after
        return result

    def _landed(self, _: asyncio.Task[Result]) -> None:
        self._flight = None

    def _schedule(self) -> None:
        """Set the timer ahead of STALE, so that requests do not meet it."""
        window = self._held.expired_at - self._held.stale_at
        jitter = self._random.random() * _TIMER_JITTER * window
        self._due = self._held.stale_at - jitter

    async def _renew_unused(self) -> None:
        await (self._flight or self._depart("unused")).landing(PATIENCE)

    # -- while the profile is in use ----------------------------------------

    def _attend(self) -> None:
        if self.profile.grant is None or self._stopping:
            return
        name = f"keep {self.profile.name}"
        self._keeper = self._tasks.spawn(self._keep(), name=name)

    async def _keep(self) -> None:
        """Renew in time, and notice within a second what other processes saved."""
        try:
            while self._in_use():
                await self._clock.sleep(self._pause())
                await self.look()
                due = self._clock.now() >= self._due
                if due and not self._busy and self._in_use():
                    self._depart("timer")
        finally:
            self._keeper = None

    def _in_use(self) -> bool:
        token = self._held.token
        if token is None:
            return False
        return self._clock.now() - self._used <= min(token.life, IN_USE)

    def _pause(self) -> float:
        if self._flight is not None:
            return WATCH
        return min(WATCH, max(self._due - self._clock.now(), _SHORTEST_WATCH))

    async def look(self) -> None:
        """Take in what another process has saved; cheap, and raises nothing."""
        try:
            generation = await self._store.generation()
            if generation == self._generation:
                return
            if await self._source.look():
                self._schedule()
            self._generation = generation
        except StoreError as error:
            # The next renewal meets it too, and tells it to everybody.
            logger.debug("profile %s: %s", self.profile.name, error)
