"""Where renewing does not help, remembered for a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from everbearer.recent import Recent

_SECONDS: Final = 300.0
_FIRST_PAUSE: Final = 1.0
_PAUSE_GROWTH: Final = 4.0
_LIMIT: Final = 1024
_SEGMENTS: Final = 6

type Place = tuple[str, str, str]
"""Profile, method and path class."""


def place(profile: str, method: str, path: str) -> Place:
    """
    Return what requests have in common that the server treats alike.

    Segments with a digit are somebody's ids: `/2.0/files/123` and
    `/2.0/files/456` are one class, and so is whatever lies deep below.
    """
    segments = path.partition("?")[0].split("/")[1 : _SEGMENTS + 1]
    kept = ("*" if any(map(str.isdigit, part)) else part for part in segments)
    return profile, method.upper(), "/" + "/".join(kept)


@dataclass(frozen=True, slots=True)
class _Stillborn:
    """A new token that was dead at its first use; instants are monotonic."""

    token: str
    until: float
    pause: float


@dataclass(slots=True)
class Hopeless:
    """
    Where a renewed token was refused as well, with that token.

    At a place: Box says "Cannot authorize with this service" there. Remembered
    for 5 minutes, at most 1024 of them. Everywhere: the server called the token
    itself invalid (RFC 6750 §3.1). It may have been revoked just then, so the
    profile is renewed again after a pause, of 1 s at first and up to 5 minutes
    for tokens that die one after the other, none of them accepted. Both only as
    long as that token is the one in use: of another nothing is known.
    """

    _until: Recent[Place, tuple[float, str]] = field(
        default_factory=lambda: Recent(_LIMIT)
    )

    _stillborn: Recent[str, _Stillborn] = field(default_factory=lambda: Recent(_LIMIT))

    def note_stillborn(self, profile: str, token: str, now: float) -> None:
        """Remember that the server called the renewed *token* invalid."""
        before = self._stillborn.get(profile)
        if before is not None and before.token == token:
            return  # another request has met the same
        pause = _FIRST_PAUSE
        if before is not None and now < before.until + _SECONDS:
            pause = min(_PAUSE_GROWTH * before.pause, _SECONDS)
        self._stillborn[profile] = _Stillborn(token, now + pause, pause)

    def note_accepted(self, profile: str, token: str) -> None:
        """Forget the pauses of *profile* once the server takes another token."""
        if (before := self._stillborn.get(profile)) and before.token != token:
            del self._stillborn[profile]

    def note_hopeless(self, where: Place, token: str, now: float) -> None:
        """Remember a second 401, one with the renewed *token* (its fingerprint)."""
        self._until[where] = (now + _SECONDS, token)

    def hopeless(self, where: Place, token: str, now: float) -> bool:
        """Tell whether a 401 for *token* there is given back without a renewal."""
        stillborn = self._stillborn.get(where[0])
        if stillborn and stillborn.token == token and now < stillborn.until:
            return True
        until, refused = self._until.get(where, (0.0, ""))
        if now >= until:
            self._until.pop(where, None)
            return False
        return token == refused
