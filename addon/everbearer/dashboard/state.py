"""Everything that the page shows, as one document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from everbearer.dashboard.collector import MOST
from everbearer.dashboard.profiles import shown, span_of
from everbearer.dashboard.rows import row
from everbearer.dashboard.troubles import troubles
from everbearer.errors import EverbearerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.broker import Broker
    from everbearer.dashboard.collector import Collector
    from everbearer.dashboard.profiles import Span
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Settings

_SAME: Final = 2.0
"""Seconds by which a token's end may seem to move: two clocks are compared."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """One way of leading a tool here; `lines` are to be copied."""

    title: str
    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """
    What the running instance is, in the words of whoever started it.

    `elsewhere` says that it is not the real Box, "" where it is, and `set_up` how
    tools are led to it: both of the configuration in force.
    """

    version: str
    workers: int
    elsewhere: Callable[[Settings], str]
    set_up: Callable[[Settings], tuple[SetUp, ...]]


class State:
    """Knows what there is to be shown, as of the last `refresh`."""

    def __init__(self, broker: Broker, known: Collector, instance: Instance) -> None:
        self._broker = broker
        self._instance = instance
        self._started = broker.clock.wall()
        self._statuses: tuple[ProfileStatus, ...] = ()
        self._unread: EverbearerError | None = None
        self._spans: dict[tuple[str, str], Span] = {}
        self.known = known

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._broker.clock.wall()

    async def refresh(self) -> None:
        """Read every profile's state anew; asks the store, and no server."""
        try:
            self._statuses = await self._broker.status()
            self._unread = None
        except EverbearerError as error:
            self._unread = error
            return
        now = self.now
        before, self._spans = self._spans, {}
        for status in self._statuses:
            self._measure(status, now, before)

    def document(self) -> dict[str, Any]:
        """Return everything."""
        settings = self._broker.settings
        requests = self.known.since(self.known.count - MOST)
        return {
            "now": self.now,
            "instance": {
                "version": self._instance.version,
                "source": str(settings.source),
                "started": self._started,
                "workers": self._instance.workers,
                "not_the_real_box": self._instance.elsewhere(settings),
            },
            "troubles": self.troubles(),
            "profiles": self.profiles(),
            **self.timeline(),
            "requests": [row(each) for each in reversed(requests)],
            "setup": [
                {"title": each.title, "text": each.text, "lines": list(each.lines)}
                for each in self._instance.set_up(settings)
            ],
        }

    def profiles(self) -> list[dict[str, Any]]:
        """Return the profiles that were there and are in the configuration still."""
        profiles = self._broker.settings.profiles
        return [
            shown(
                profiles[each.name],
                each,
                self._broker.rules.default_profile,
                self.known,
                self._spans.get((each.name, each.token)),
            )
            for each in self._statuses
            if each.name in profiles
        ]

    def troubles(self) -> list[dict[str, Any]]:
        """Return what is wrong, the worst first."""
        standing = self._broker.standing
        found = troubles(
            self._broker.settings, standing, self._statuses, self.known, self._unread
        )
        return [each.shown(standing) for each in found]

    def timeline(self) -> dict[str, Any]:
        """Return the lives of tokens, and what marked them."""
        return self.known.timeline.shown(self.now)

    def _measure(
        self,
        status: ProfileStatus,
        now: float,
        before: dict[tuple[str, str], Span],
    ) -> None:
        """Note when the token began and ends; it does not move by itself."""
        profile = self._broker.settings.profiles.get(status.name)
        span = None if profile is None else span_of(profile, status, now)
        if span is None:
            return
        old = before.get((status.name, status.token))
        if old is not None and abs(old[1] - span[1]) < _SAME:
            span = old
        self._spans[status.name, status.token] = span
        if status.state != "dead":
            self.known.timeline.begin(status.name, status.token, *span)
