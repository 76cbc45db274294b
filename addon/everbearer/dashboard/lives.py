"""The lives of tokens, and what marked them: for the timeline of the last hours."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from everbearer.oauth.freshness import ahead_of_end
from everbearer.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 12 * 3600.0
"""Seconds that the timeline goes back."""

MOST: Final = 2000
"""Marks that are kept, and lives."""


@dataclass(slots=True)
class Life:
    """
    One access token, known by its fingerprint; times are seconds since the epoch.

    `issued_at` is None where nobody knows; `end` is "replaced", "revoked",
    "rejected", or "" for one that has not ended but by its age.
    """

    profile: str
    token: str
    issued_at: float | None
    expires_at: float
    ended_at: float | None = None
    end: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as the page has it."""
        begun = self.expires_at if self.issued_at is None else self.issued_at
        stale, _ = ahead_of_end(max(0.0, self.expires_at - begun))
        return {
            "profile": self.profile,
            "token": self.token,
            "issued_at": self.issued_at,
            "stale_at": self.expires_at - stale,
            "expires_at": self.expires_at,
            "ended_at": self.ended_at,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the timeline; `request` is the id of the request it is about."""

    at: float
    profile: str
    kind: str  # "renewed", "failed", "rejected", "replayed", "revoked", "login"
    words: str
    request: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as the page has it."""
        return {
            "at": self.at,
            "profile": self.profile,
            "kind": self.kind,
            "words": self.words,
            "request": self.request,
        }


class Timeline:
    """What is remembered of tokens' lives, in bounded memory."""

    def __init__(self) -> None:
        self._lives: deque[Life] = deque(maxlen=MOST)
        self._marks: deque[Mark] = deque(maxlen=MOST)
        self._last: dict[str, Life] = {}
        # Those as well that others, who look at the store, still take for the last.
        self._seen = Recent[tuple[str, str], None](MOST)
        self.version = 0
        """Grows with every change."""

    def begin(
        self,
        profile: str,
        token: str,
        issued_at: float | None,
        expires_at: float,
        how: str = "replaced",
    ) -> None:
        """Note a token that serves *profile* from now on; the last one ended *how*."""
        if (profile, token) in self._seen or not math.isfinite(expires_at):
            return
        self._seen[profile, token] = None
        self.end(profile, expires_at if issued_at is None else issued_at, how)
        life = Life(profile, token, issued_at, expires_at)
        self._lives.append(life)
        self._last[profile] = life
        self.version += 1

    def end(self, profile: str, at: float, how: str, token: str = "") -> None:
        """Note that the profile's token, or just *token*, ended before its time."""
        life = self._last.get(profile)
        if life is None or token not in {"", life.token}:
            return
        if life.ended_at is None and at < life.expires_at:
            life.ended_at, life.end = at, how
            self.version += 1

    def mark(self, mark: Mark) -> None:
        """Remember a moment."""
        self._marks.append(mark)
        self.version += 1

    def shown(self, now: float) -> dict[str, Any]:
        """Return what is to be seen of the last hours, the oldest first."""
        since = now - SHOWN
        return {
            "lives": [life.shown() for life in self._lives if _last_of(life) >= since],
            "marks": [each.shown() for each in self._since(since)],
        }

    def _since(self, since: float) -> Iterator[Mark]:
        return (each for each in self._marks if each.at >= since)


def _last_of(life: Life) -> float:
    return life.expires_at if life.ended_at is None else life.ended_at
