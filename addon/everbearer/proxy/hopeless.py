"""Where renewing does not help, remembered for a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from everbearer.recent import Recent

_SECONDS: Final = 300.0
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


@dataclass(slots=True)
class Hopeless:
    """
    Places where a renewed token was refused as well, with that token.

    Box says "Cannot authorize with this service" there. Remembered for 5
    minutes, at most 1024 of them, and only as long as that token is the one in
    use: of another nothing is known.
    """

    _until: Recent[Place, tuple[float, str]] = field(
        default_factory=lambda: Recent(_LIMIT)
    )

    def note_hopeless(self, where: Place, token: str, now: float) -> None:
        """Remember a second 401, one with the renewed *token* (its fingerprint)."""
        self._until[where] = (now + _SECONDS, token)

    def hopeless(self, where: Place, token: str, now: float) -> bool:
        """Tell whether a 401 for *token* there is given back without a renewal."""
        until, refused = self._until.get(where, (0.0, ""))
        if now >= until:
            self._until.pop(where, None)
            return False
        return token == refused
