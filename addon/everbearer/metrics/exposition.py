"""Numbers → Prometheus' text format, by its own library and a registry of our own."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.utils import floatToGoString

from everbearer import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from everbearer.metrics.counts import Counter, Counts, Histograms, Labels
    from everbearer.renewal.status import ProfileStatus

_TROUBLES: Final = ("reauthorize", "configuration", "unavailable", "malformed")
"""What a profile's trouble can be (stores.contract.TroubleKind)."""


class Exposition:
    """Puts *counts* into words; a collector of its own registry alone."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._gauges: Sequence[Metric] = ()
        self._profiles: Sequence[str] = ()
        # Nothing is asked to describe itself: it would be made up twice.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(
        self,
        profiles: Sequence[str],
        statuses: Sequence[ProfileStatus],
        wall: float,
        *,
        in_force: bool,
    ) -> bytes:
        """Return the whole page; *wall* is in seconds since the epoch."""
        self._profiles = profiles
        self._gauges = (
            _info(),
            _reload(in_force=in_force),
            _expiry(profiles, statuses, self._counts.expires_at, wall),
            *_of_statuses(statuses),
        )
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        counts = self._counts
        yield _counter(
            "requests",
            "Requests that matched a rule and have ended, by what became of them.",
            ("profile", "verdict", "status"),
            counts.requests,
        )
        yield _histogram(
            "request_duration",
            "From a matched request's head to the end of its answer.",
            counts.durations,
        )
        yield _histogram(
            "injection_duration",
            "From a request's head until it could leave with its token.",
            counts.added,
        )
        yield _counter(
            "refusals",
            "Requests that did not leave, by the reason's code.",
            ("profile", "code"),
            counts.refusals,
        )
        yield _counter(
            "replays",
            "Requests sent once more after a 401, by the answer to that.",
            ("profile", "status"),
            counts.replays,
        )
        yield _counter(
            "spooled_bytes",
            "Of requests' bodies, kept in case they have to be sent again.",
            ("profile",),
            self._from_nothing(counts.spooled),
        )
        yield _counter(
            "user_refusals",
            "Who was not let in as a proxy user, by the reason's code.",
            ("code",),
            counts.users_refused,
        )
        yield _counter(
            "audit_lines_lost",
            "Lines of the audit log that could not be written.",
            (),
            counts.audit_lines_lost,
        )
        yield from self._tokens()
        yield from self._gauges

    def _tokens(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter(
            "renewals",
            "Renewals by outcome (renewed, shared: by another process, failed).",
            ("profile", "outcome", "cause"),
            counts.renewals,
        )
        yield _counter(
            "renewal_failures",
            "Renewals in vain, by the error's code.",
            ("profile", "code"),
            counts.renewal_failures,
        )
        yield _counter(
            "token_requests",
            "Questions to the authorization server, by its answer.",
            ("profile", "status"),
            counts.token_requests,
        )
        yield _histogram(
            "token_request_duration",
            "How long the authorization server took to answer.",
            counts.token_request_durations,
        )
        yield _counter(
            "client_redeems",
            "Refresh tokens that a client redeemed by itself, by what became of that.",
            ("profile", "outcome"),
            counts.client_redeems,
        )
        yield _counter(
            "save_failures",
            "Times that it began, or changed, that a new token could not be saved.",
            ("profile",),
            self._from_nothing(counts.save_failures),
        )

    def _from_nothing(self, counter: Counter) -> Mapping[Labels, int]:
        """Return it with every profile: an increase begins at a 0 that was seen."""
        return dict.fromkeys(((name,) for name in self._profiles), 0) | counter


def _counter(
    name: str, text: str, labels: Sequence[str], counter: Mapping[Labels, int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"everbearer_{name}", text, labels=labels)
    for values, number in sorted(counter.items()):
        family.add_metric(values, number)
    return family


def _histogram(name: str, text: str, histograms: Histograms) -> HistogramMetricFamily:
    family = HistogramMetricFamily(
        f"everbearer_{name}_seconds", text, labels=["profile"]
    )
    for profile, histogram in sorted(histograms.items()):
        ends = map(floatToGoString, (*histogram.bounds, math.inf))
        buckets = list(zip(ends, accumulate(histogram.counts), strict=True))
        family.add_metric([profile], buckets, histogram.total)
    return family


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"everbearer_{name}", text, labels=labels)


def _info() -> Metric:
    family = _gauge("build_info", "Which everbearer this is.", "version")
    family.add_metric([__version__], 1)
    return family


def _reload(*, in_force: bool) -> Metric:
    family = _gauge(
        "configuration_last_reload_successful",
        "Whether the configuration on disk is in force.",
    )
    family.add_metric([], in_force)
    return family


def _expiry(
    profiles: Iterable[str],
    statuses: Iterable[ProfileStatus],
    seen: dict[str, float],
    wall: float,
) -> Metric:
    """Return what is left of each profile's token; of one without, nothing."""
    family = _gauge(
        "token_expires_in_seconds", "What is left of the access token.", "profile"
    )
    left = {name: max(0.0, seen[name] - wall) for name in profiles if name in seen}
    left |= {
        status.name: math.nan if status.expires_in is None else status.expires_in
        for status in statuses
    }
    for name, seconds in sorted(left.items()):
        if not math.isnan(seconds):
            family.add_metric([name], seconds)
    return family


def _of_statuses(statuses: Sequence[ProfileStatus]) -> Iterator[Metric]:
    ends = _gauge(
        "grant_end_timestamp_seconds",
        "When the refresh token dies unless it is renewed, since the epoch.",
        "profile",
    )
    trouble = _gauge(
        "profile_trouble",
        "Whether the last word on renewing is one of these troubles.",
        *("profile", "trouble"),
    )
    for status in statuses:
        if status.refresh_ends_at is not None:
            ends.add_metric([status.name], status.refresh_ends_at)
        kind = status.trouble.kind.value if status.trouble else ""
        for each in _TROUBLES:
            trouble.add_metric([status.name, each], each == kind)
    yield ends
    yield trouble
