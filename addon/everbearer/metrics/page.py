"""What a Prometheus server gets when it asks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from everbearer.metrics.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.broker import Broker
    from everbearer.metrics.exposition import Exposition
    from everbearer.renewal.status import ProfileStatus

MISSING: Final = (
    "metrics need prometheus-client; run: pip install 'everbearer[metrics]'"
)
"""What whoever asks is told where `metrics_of` returned None."""

_LIBRARY: Final = "prometheus_client"


def metrics_of(broker: Broker, library: str = _LIBRARY) -> Metrics | None:
    """Return the figures of *broker*, nothing counted yet; None without *library*."""
    return None if find_spec(library) is None else Metrics(broker)


class Metrics:
    """
    The figures of *broker*: of what is handed to `counts`, a subscriber of events.

    That may be what happens in several processes.
    """

    content_type: Final = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.counts = Counts(lambda: broker.settings.profiles)
        self._exposition: Exposition | None = None

    def load(self) -> Exposition:
        """Load the library, which takes its time; may be called in a thread before."""
        # A proxy whose figures nobody reads does without.
        from everbearer.metrics.exposition import Exposition  # noqa: PLC0415

        if self._exposition is None:
            self._exposition = Exposition(self.counts)
        return self._exposition

    def text(self, statuses: Iterable[ProfileStatus] = ()) -> bytes:
        """
        Return all figures in Prometheus' text format.

        *statuses* are what `broker.status()` returned just now. A profile without
        one is told of by what was seen of it in here: its token's end alone.
        """
        broker = self._broker
        return self.load().text(
            tuple(broker.settings.profiles),
            tuple(statuses),
            broker.clock.wall(),
            in_force=not broker.standing.problems,
        )
