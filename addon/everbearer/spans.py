"""Time spans as a person says them."""

from __future__ import annotations

import math
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration(seconds: float) -> str:
    """Return a time span as a person says it: 59 min."""
    if math.isinf(seconds):
        return "an unknown time"
    seconds = round(seconds)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit or (unit == _MINUTE and seconds >= unit):
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def left(seconds: float) -> str:
    """Return how long something still lives, whose end may be unknown."""
    if math.isinf(seconds):
        return "no known end"
    return f"{duration(max(0.0, seconds))} left"
