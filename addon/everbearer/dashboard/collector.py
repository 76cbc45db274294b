"""
What the dashboard remembers of events: little, bounded, and put into words later.

A subscriber. Of a request it keeps the event itself; all the rest is rare.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from everbearer.dashboard.lives import Mark, Timeline
from everbearer.events import (
    ClientRedeemed,
    ConfigurationChanged,
    Exchanged,
    RenewalFailed,
    Renewed,
    Replayed,
    SaveFailed,
    TokensDeleted,
)
from everbearer.stories import Stories

if TYPE_CHECKING:
    from everbearer.events import Event
    from everbearer.stories import Story

MOST: Final = 1000
"""Requests that are kept."""

_WORDS: Final = 256
"""Characters that are kept of what a mark says."""


class Collector:
    """Keeps what the page shows; one for all workers."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.served: Counter[str] = Counter()
        """By profile: requests that went out with a token."""
        self.count = 0
        """Requests so far, those included that are not kept any more."""
        self.changes = 0
        """Grows with everything after which profiles may be in another state."""
        self.lost = 0
        """Events of other workers that did not arrive."""
        self.last: dict[str, Renewed | RenewalFailed | ClientRedeemed] = {}
        self.unsaved: dict[str, SaveFailed] = {}
        self.configuration: ConfigurationChanged | None = None
        self._stories = Stories()
        self._requests: deque[Exchanged] = deque(maxlen=MOST)

    def __call__(self, event: Event) -> None:
        """Remember *event*."""
        self._stories(event)
        match event:
            case Exchanged():
                self._exchanged(event)
                return
            case Replayed():
                self._mark(event, "replayed", _replayed(event), event.id)
                return
            case Renewed():
                self._renewed(event)
            case RenewalFailed():
                self.last[event.profile] = event
                self._mark(event, "failed", f"{event.code}: {event.message}")
            case ClientRedeemed():
                self._client_redeemed(event)
            case TokensDeleted():
                self.timeline.end(event.profile, event.at, "revoked")
                where = "revoked and deleted" if event.revoked else "deleted here"
                self._mark(event, "revoked", f"the tokens are {where}")
            case SaveFailed():
                self.unsaved[event.profile] = event
            case ConfigurationChanged():
                self.configuration = event
        self.changes += 1

    def lose(self, count: int) -> None:
        """Note that so many events of other workers did not arrive."""
        self.lost += count
        self.changes += 1

    def since(self, count: int) -> list[Exchanged]:
        """Return the requests after the first *count*, the oldest first."""
        new = min(self.count - count, len(self._requests))
        return list(islice(self._requests, len(self._requests) - new, None))

    def story(self, name: str) -> Story | None:
        """Return that of the request of that id, None where it is not kept any more."""
        found = next((each for each in self._requests if each.id == name), None)
        return None if found is None else self._stories.of(found)

    # -- inside -------------------------------------------------------------

    def _exchanged(self, event: Exchanged) -> None:
        if event.verdict == "inject":
            self.served[event.profile] += 1
        self._requests.append(event)
        self.count += 1
        if event.rejected:
            self.timeline.end(event.profile, event.at, "rejected", event.rejected)
            words = f"answered 401{_because(event.challenge)}"[:_WORDS]
            # It is told of when it has ended; its 401 came before the renewal.
            begun = event.at - event.duration
            mark = Mark(begun, event.profile, "rejected", words, event.id)
            self.timeline.mark(mark)

    def _renewed(self, event: Renewed) -> None:
        self.last[event.profile] = event
        self.unsaved.pop(event.profile, None)
        # A request is told of when it has ended, after the renewal that it waited for.
        how = "rejected" if event.cause == "rejected" else "replaced"
        self.timeline.begin(event.profile, event.token, event.at, event.expires_at, how)
        is_login = event.cause == "login"
        self._mark(event, "login" if is_login else "renewed", renewed(event))

    def _client_redeemed(self, event: ClientRedeemed) -> None:
        if event.outcome == "saved":
            self.last[event.profile] = event
            profile, token = event.profile, event.token
            self.timeline.begin(profile, token, event.at, event.expires_at)
            self._mark(event, "renewed", event.message)
        else:
            self._mark(event, "failed", event.message)

    def _mark(
        self,
        event: Replayed | Renewed | RenewalFailed | ClientRedeemed | TokensDeleted,
        kind: str,
        words: str,
        request: str = "",
    ) -> None:
        short = words[:_WORDS]
        self.timeline.mark(Mark(event.at, event.profile, kind, short, request))


_CAUSES: Final = {
    "first": "the first token",
    "stale": "the last one was about to end",
    "expired": "the last one had ended",
    "rejected": "the last one was answered 401",
    "timer": "in time, before the last one ended",
    "asked": "a person asked for it",
    "unused": "so that the grant stays alive",
    "login": "a person logged in",
}


def renewed(event: Renewed) -> str:
    """Say why there is a new token."""
    why = _CAUSES.get(event.cause, event.cause)
    return f"{why}; another process renewed it" if event.shared else why


def _replayed(event: Replayed) -> str:
    what = "what the server had told" if event.learned else "a new token"
    return f"sent once more with {what}: {event.status or 'no answer'}"


def _because(challenge: str) -> str:
    return f": {challenge}" if challenge else ""
