"""How near its end an access token is."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from everbearer.oauth.tokens import AccessToken

# Seconds, and the same as a share of the life, so that short lives work too;
# the smaller one counts.
_STALE_SECONDS: Final = 300.0
_STALE_SHARE: Final = 0.20
_EXPIRED_SECONDS: Final = 10.0
_EXPIRED_SHARE: Final = 0.05


class Freshness(Enum):
    """What to do with a token: serve it, also renew it, or wait for the next."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


def freshness(token: AccessToken, now: float) -> Freshness:
    """
    Tell how fresh the token is at `now` (seconds, monotonic).

    A token that seems to come from the future is at best STALE: the clock it
    was measured with has gone back, and nobody knows how much life is left.
    """
    if now >= expired_at(token):
        return Freshness.EXPIRED
    if now >= stale_at(token) or (now < token.issued_at and math.isfinite(token.life)):
        return Freshness.STALE
    return Freshness.FRESH


def stale_at(token: AccessToken) -> float:
    """Return the first instant at which the token is STALE; `inf` for no end."""
    return token.expires_at - ahead_of_end(token.life)[0]


def expired_at(token: AccessToken) -> float:
    """Return the first instant at which the token is EXPIRED; `inf` for no end."""
    return token.expires_at - ahead_of_end(token.life)[1]


def ahead_of_end(life: float) -> tuple[float, float]:
    """Return how long before its end a token is STALE, and EXPIRED; in seconds."""
    return (
        max(0.0, min(_STALE_SECONDS, _STALE_SHARE * life)),
        max(0.0, min(_EXPIRED_SECONDS, _EXPIRED_SHARE * life)),
    )
