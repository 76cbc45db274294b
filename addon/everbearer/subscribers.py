"""Who is told what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.report import report

if TYPE_CHECKING:
    from everbearer.events import Event, Subscriber


class Subscribers:
    """The subscribers of one event loop, told in the order in which they came."""

    def __init__(self) -> None:
        self._all: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        """Hand every event from now on to *subscriber*."""
        self._all.append(subscriber)

    def publish(self, event: Event) -> None:
        """Hand *event* to every subscriber; one that fails harms nobody."""
        for subscriber in self._all:
            try:
                subscriber(event)
            except Exception as error:
                report("a subscriber of events failed", error)
