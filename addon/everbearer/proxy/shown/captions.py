"""Every matched flow tells what was done with it, before anything saves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged
from everbearer.oauth.freshness import freshness
from everbearer.oauth.server_text import shown
from everbearer.proxy.shown.caption import caption, in_one_line
from everbearer.proxy.shown.telling import REFUSAL, REPLAY, REQUEST, tell
from everbearer.report import report
from everbearer.spans import left

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.events import Event
    from everbearer.proxy.notes import Note, Notes
    from everbearer.stories import Stories, Story

_LEARNED: Final = "what the server told"
_ANOTHER: Final = "another token"


class EverbearerCaptions:
    """
    Behind the hooks that end a request, before whatever saves flows.

    What they publish comes while the flow is still at hand, in its last hook.
    """

    def __init__(self, broker: Broker, notes: Notes, stories: Stories) -> None:
        self._clock = broker.clock
        self._notes = notes
        self._stories = stories
        broker.subscribe(self._see)

    def response(self, flow: HTTPFlow) -> None:
        """Tell of a request that is sent by ourselves what it is."""
        try:
            note = self._notes.get(flow)
            if note is not None and note.is_replay:
                self._sent_by_us(note)
        except BaseException as error:
            report("a replay could not be told of", error)

    error = response

    def _see(self, event: Event) -> None:
        if isinstance(event, Exchanged):
            self._exchanged(event)

    def _exchanged(self, event: Exchanged) -> None:
        note = self._notes.by_id.get(event.id)
        if note is None:
            return
        line = caption(
            event,
            token=self._state(note),
            error=shown(note.complaint),
            instead=_instead(self._stories.of(event)),
        )
        marker = REPLAY if event.replayed else ""
        refused = event.verdict == "refuse"
        tell(note.flow, line, REFUSAL if refused else marker)

    def _sent_by_us(self, note: Note) -> None:
        assert note.credential is not None
        what = "replay of a 401" if note.rejected else "sent with its whole body"
        words = [note.credential.profile, what, self._state(note)]
        tell(note.flow, in_one_line(words), REPLAY if note.rejected else "")
        for other in self._notes.by_id.values():
            if other.view is note.view and not other.is_replay:
                note.flow.metadata[REQUEST] = other.flow.id

    def _state(self, note: Note) -> str:
        """Return how the token does that the request went out with."""
        if note.credential is None:
            return ""
        token, now = note.credential.token, self._clock.now()
        return f"{freshness(token, now).value}, {left(token.expires_at - now)}"


def _instead(story: Story) -> str:
    """Say what a replay carried, if there was one."""
    if story.replay is not None and story.replay.learned:
        return _LEARNED
    if story.renewal is None:
        return _ANOTHER
    return "renewed by another process" if story.renewal.shared else "renewed"
