"""How soon a worker is replaced."""

from __future__ import annotations

from typing import Final

_SERVED: Final = 5.0
"""Seconds; a worker that served as long was no failure at its start."""

_FIRST: Final = 0.1
_LONGEST: Final = 10.0


def pause(served: float, failures: int) -> tuple[float, int]:
    """
    Return the seconds until the next worker starts, and the failures so far.

    *served* are the seconds that the last one did, 0 where it never was ready;
    *failures* those in a row before it. One that served is replaced at once.
    """
    if served >= _SERVED:
        return 0.0, 0
    return min(_LONGEST, _FIRST * 2.0 ** min(failures, 16)), failures + 1
