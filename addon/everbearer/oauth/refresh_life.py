"""How near its end a refresh token is that nobody uses."""

from __future__ import annotations

from typing import Final

_DAY: Final = 86400.0
# As a share of the life, so that the last quarter is left for a server that is
# away, a machine that is off, a person on holiday.
_RENEWED_SHARE: Final = 0.75
_WARNED_SECONDS: Final = 14 * _DAY


def is_due(issued_at: float, life: float, wall: float) -> bool:
    """
    Tell whether an unused refresh token is to be renewed.

    So it is where it seems to be issued tomorrow or later: some clock was wrong,
    and nobody knows its age.
    """
    return wall >= issued_at + _RENEWED_SHARE * life or issued_at > wall + _DAY


def ends_soon(ends_at: float, wall: float) -> bool:
    """Tell whether people should know that the grant will die, or has died."""
    return ends_at - wall <= _WARNED_SECONDS
