"""
What happened, counted; a subscriber of events.

Plain numbers by tuples of labels: prometheus_client's own counters take a lock
and a look-up for each, three times the time of all this. Labels are bounded:
profiles are the configured ones, codes those of `codes`, all others "other".
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from everbearer.events import (
    AuditLinesLost,
    ClientRedeemed,
    Exchanged,
    RenewalFailed,
    Renewed,
    Replayed,
    SaveFailed,
    TokenRequested,
    TokensDeleted,
    UserRefused,
)
from everbearer.metrics.codes import ERRORS, OTHER, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from everbearer.events import Event

type Labels = tuple[str, ...]

REQUEST: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
ADDED: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1.0, 10.0)
ENDPOINT: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds."""


class Histogram:
    """How many values were at most each of *bounds*, and all of them together."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counter(dict[Labels, int]):
    """Numbers by labels, from 0."""

    def add(self, labels: Labels, more: int = 1) -> None:
        """Count *more*."""
        self[labels] = self.get(labels, 0) + more


class Histograms(dict[str, Histogram]):
    """Histograms by profile, with the same bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self._bounds = bounds

    def __missing__(self, profile: str) -> Histogram:
        made = self[profile] = Histogram(self._bounds)
        return made


class Counts:
    """
    Everything that is counted.

    *profiles* returns the configured ones. `expires_at` has the end of the last
    token that each profile is known to have, in seconds since the epoch.
    """

    def __init__(self, profiles: Callable[[], Container[str]]) -> None:
        self._profiles = profiles
        # By profile, verdict and hundreds of the status; as labels only when told.
        self._requests: dict[tuple[str, str, int], int] = {}
        self.durations = Histograms(REQUEST)
        self.added = Histograms(ADDED)
        self.refusals = Counter()
        self.replays = Counter()
        self.spooled = Counter()
        self.users_refused = Counter()
        self.renewals = Counter()
        self.renewal_failures = Counter()
        self.client_redeems = Counter()
        self.save_failures = Counter()
        self.audit_lines_lost = Counter({(): 0})
        self.token_requests = Counter()
        self.token_request_durations = Histograms(ENDPOINT)
        self.expires_at: dict[str, float] = {}
        self._by_event: Mapping[type, Callable[[Any], None]] = {
            Exchanged: self._exchanged,
            UserRefused: self._user_refused,
            Replayed: self._replayed,
            TokenRequested: self._token_requested,
            Renewed: self._renewed,
            RenewalFailed: self._renewal_failed,
            ClientRedeemed: self._client_redeemed,
            TokensDeleted: self._tokens_deleted,
            SaveFailed: self._save_failed,
            AuditLinesLost: self._lines_lost,
        }

    def __call__(self, event: Event) -> None:
        """Count *event*, if it is of those that are counted."""
        count = self._by_event.get(type(event))
        if count is not None:
            count(event)

    @property
    def requests(self) -> Counter:
        """Requests by profile, verdict and class of status."""
        told = Counter()
        for (profile, verdict, hundreds), number in self._requests.items():
            told[profile, verdict, _class(hundreds)] = number
        return told

    def _exchanged(self, event: Exchanged) -> None:
        if event.probe:
            return  # a question of everbearer's own
        profile, verdict = event.profile, event.verdict
        key = profile, verdict, event.status // 100
        requests = self._requests
        if key not in requests:
            profile = self._known(profile)
            key = profile, verdict, key[2]
            requests.setdefault(key, 0)
        requests[key] += 1
        self.durations[profile].observe(event.duration)
        if verdict == "inject" and event.prepared:
            self.added[profile].observe(event.prepared)
        elif verdict == "refuse":
            self.refusals.add((profile, _known_of(REFUSALS, event.code)))
        if event.spooled:
            self.spooled.add((profile,), event.spooled)

    def _user_refused(self, event: UserRefused) -> None:
        self.users_refused.add((_known_of(REFUSALS, event.code),))

    def _replayed(self, event: Replayed) -> None:
        self.replays.add((self._known(event.profile), _class(event.status // 100)))

    def _token_requested(self, event: TokenRequested) -> None:
        profile = self._known(event.profile)
        self.token_requests.add((profile, _class(event.status // 100)))
        self.token_request_durations[profile].observe(event.duration)

    def _renewed(self, event: Renewed) -> None:
        profile = self._known(event.profile)
        how = "shared" if event.shared else "renewed"
        self.renewals.add((profile, how, event.cause))
        self.expires_at[profile] = event.expires_at

    def _renewal_failed(self, event: RenewalFailed) -> None:
        profile = self._known(event.profile)
        self.renewals.add((profile, "failed", event.cause))
        self.renewal_failures.add((profile, _known_of(ERRORS, event.code)))

    def _client_redeemed(self, event: ClientRedeemed) -> None:
        profile = self._known(event.profile)
        self.client_redeems.add((profile, event.outcome))
        if event.outcome == "saved":
            self.expires_at[profile] = event.expires_at

    def _tokens_deleted(self, event: TokensDeleted) -> None:
        self.expires_at.pop(self._known(event.profile), None)

    def _save_failed(self, event: SaveFailed) -> None:
        self.save_failures.add((self._known(event.profile),))

    def _lines_lost(self, event: AuditLinesLost) -> None:
        self.audit_lines_lost.add((), event.count)

    def _known(self, profile: str) -> str:
        # "" is what requests have that no profile serves.
        return profile if not profile or profile in self._profiles() else OTHER


def _class(hundreds: int) -> str:
    """Return `2xx` and so on; `none` for no answer."""
    return f"{hundreds}xx" if hundreds else "none"


def _known_of(codes: frozenset[str], code: str) -> str:
    return code if code in codes else OTHER
