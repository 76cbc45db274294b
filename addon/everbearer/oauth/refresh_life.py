"""How near its end a refresh token is that nobody uses."""

from __future__ import annotations

from typing import Final

_DAY: Final = 86400.0
# As a share of the life, so that the last quarter is left for a server that is
# away, a machine that is off, a person on holiday.
_RENEWED_SHARE: Final = 0.75
_WARNED_SECONDS: Final = 14 * _DAY


def renewed_at(issued_at: float, life: float) -> float:
    """Return when an unused refresh token is renewed (seconds since the epoch)."""
    return issued_at + _RENEWED_SHARE * life


def ends_soon(ends_at: float, wall: float) -> bool:
    """Tell whether people should know that the grant will die, or has died."""
    return ends_at - wall <= _WARNED_SECONDS
