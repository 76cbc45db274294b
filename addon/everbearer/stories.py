"""What several events tell of one request, put together for who asks why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged, RenewalFailed, Renewed, Replayed
from everbearer.policy.steps import steps
from everbearer.recent import Recent

if TYPE_CHECKING:
    from everbearer.events import Event
    from everbearer.policy.steps import Step

MOST: Final = 1000
"""Renewals, replays and failures that are kept, of each."""

_LATELY: Final = 60.0
"""Seconds before a request in which a failed renewal may be why it was answered 401."""


@dataclass(frozen=True, slots=True)
class Story:
    """
    A request that has ended, and what belongs to it.

    `renewal` is where its token came from, `failure` why it has none, or no answer
    but a 401, and `replay` what came of sending it once more; None for what there
    was not, or is not known any more.
    """

    request: Exchanged
    renewal: Renewed | None
    failure: RenewalFailed | None
    replay: Replayed | None

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the decision; () where nobody kept what it was about."""
        event = self.request
        if event.view is None:
            return ()
        return steps(
            event.view,
            code=event.code,
            reason=event.reason,
            rule=event.rule,
            profile=event.profile,
        )


class Stories:
    """
    Knows what belongs to the last requests; a subscriber, in bounded memory.

    The requests themselves are kept by whoever asks.
    """

    def __init__(self) -> None:
        self._renewals = Recent[tuple[str, str], Renewed](MOST)  # profile, new token
        self._replays = Recent[str, Replayed](MOST)  # by the request
        self._failed: dict[str, RenewalFailed] = {}  # the profile's last
        self._failures = Recent[str, RenewalFailed](MOST)  # by the request

    def __call__(self, event: Event) -> None:
        """Remember *event*."""
        match event:
            case Exchanged():
                self._exchanged(event)
            case Renewed():
                self._renewals[event.profile, event.token] = event
            case Replayed():
                self._replays[event.id] = event
            case RenewalFailed():
                self._failed[event.profile] = event

    def of(self, request: Exchanged) -> Story:
        """Return the story of *request*, which was told of before."""
        return Story(
            request,
            self._renewals.get((request.profile, request.token)),
            self._failures.get(request.id),
            self._replays.get(request.id),
        )

    def _exchanged(self, event: Exchanged) -> None:
        # It is told of when it has ended: what it waited for was told before.
        failed = self._failed.get(event.profile)
        if failed is None or failed.at > event.at:
            return
        unhealed = event.rejected and not event.replayed
        is_lately = failed.at >= event.at - event.duration - _LATELY
        if event.code == failed.code or (unhealed and is_lately):
            self._failures[event.id] = failed
