"""What is known of the last requests, for who asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged, RenewalFailed, Renewed, Replayed
from everbearer.policy.steps import steps
from everbearer.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from everbearer.events import Event

_REQUESTS: Final = 2000
_OTHERS: Final = 1000

type Row = tuple[str, str]
"""What is told about, and the words."""


class Stories:
    """Puts together what several events tell of one request."""

    def __init__(self, subscribe: Callable[[Callable[[Event], None]], None]) -> None:
        self._requests = Recent[str, Exchanged](_REQUESTS)
        self._renewed = Recent[str, Renewed](_OTHERS)  # by the new token
        self._replayed = Recent[str, Replayed](_OTHERS)  # by the request
        self._failed = Recent[str, RenewalFailed](_OTHERS)  # by profile
        subscribe(self._see)

    def of(self, flow_id: str) -> tuple[Row, ...]:
        """Return the story of a matched request that has ended, () for any other."""
        event = self._requests.get(flow_id)
        return tuple(self._rows(event)) if event is not None else ()

    def _see(self, event: Event) -> None:
        match event:
            case Exchanged():
                self._requests[event.id] = event
            case Renewed():
                self._renewed[event.token] = event
            case Replayed():
                self._replayed[event.id] = event
            case RenewalFailed():
                self._failed[event.profile] = event

    def _rows(self, event: Exchanged) -> Iterator[Row]:
        path = event.path.partition("?")[0]
        answered = str(event.status) if event.status else "closed without an answer"
        yield "request", f"{event.method} {event.host}{path}: {answered}"
        if event.view is not None:
            for step in steps(
                event.view,
                code=event.code,
                reason=event.reason,
                rule=event.rule,
                profile=event.profile,
            ):
                yield step.stage.value, step.words
        yield "verdict", f"{event.verdict} ({event.code})"
        if event.token:
            yield "token", event.token
        if event.rejected:
            said = event.challenge or "without a challenge"
            yield "401", f"for token {event.rejected}: {said}"
            yield from self._afterwards(event)
        if event.note and event.note != event.reason:
            yield "note", event.note
        if event.hint:
            yield "hint", event.hint

    def _afterwards(self, event: Exchanged) -> Iterator[Row]:
        """Tell what came of a 401."""
        renewed = self._renewed.get(event.token)
        replay = self._replayed.get(event.id)
        failed = self._failed.get(event.profile)
        if renewed is not None and event.token != event.rejected:
            who = "another process renewed" if renewed.shared else "renewed"
            took = f"{renewed.duration * 1000:.0f} ms"
            yield "renewal", f"{who} (cause {renewed.cause}), {took}"
        elif failed is not None and event.verdict == "refuse":
            yield "renewal", f"failed: {failed.code}: {failed.message}"
        if replay is not None:
            answered = replay.status or "no answer"
            yield "replay", f"{answered}, {replay.duration * 1000:.0f} ms"
