"""The last requests in words, for who asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged
from everbearer.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.events import Event
    from everbearer.stories import Stories, Story

_REQUESTS: Final = 2000

type Row = tuple[str, str]
"""What is told about, and the words."""


class Told:
    """Keeps the last requests, to tell their *stories*; a subscriber behind those."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._requests = Recent[str, Exchanged](_REQUESTS)

    def __call__(self, event: Event) -> None:
        """Keep *event* if it is a request."""
        if isinstance(event, Exchanged):
            self._requests[event.id] = event

    def of(self, flow_id: str) -> tuple[Row, ...]:
        """Return the story of a matched request that has ended, () for any other."""
        event = self._requests.get(flow_id)
        return () if event is None else tuple(_rows(self._stories.of(event)))


def _rows(story: Story) -> Iterator[Row]:
    event = story.request
    path = event.path.partition("?")[0]
    answered = str(event.status) if event.status else "closed without an answer"
    yield "request", f"{event.method} {event.where}{path}: {answered}"
    for step in story.steps:
        yield step.stage.value, step.words
    yield "verdict", f"{event.verdict} ({event.code})"
    if event.token:
        yield "token", event.token
    if event.rejected:
        said = event.challenge or "without a challenge"
        yield "401", f"for token {event.rejected}: {said}"
        yield from _afterwards(story)
    if event.note and event.note != event.reason:
        yield "note", event.note
    if event.hint:
        yield "hint", event.hint


def _afterwards(story: Story) -> Iterator[Row]:
    """Tell what came of a 401."""
    event, renewed, replay = story.request, story.renewal, story.replay
    if renewed is not None and event.token != event.rejected:
        who = "another process renewed" if renewed.shared else "renewed"
        took = f"{renewed.duration * 1000:.0f} ms"
        yield "renewal", f"{who} (cause {renewed.cause}), {took}"
    elif story.failure is not None:
        yield "renewal", f"failed: {story.failure.code}: {story.failure.message}"
    if replay is not None:
        answered = replay.status or "no answer"
        yield "replay", f"{answered}, {replay.duration * 1000:.0f} ms"
