"""When to ask again: exponential backoff with full jitter, then a circuit breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

FIRST: Final = 0.5
LONGEST: Final = 60.0
"""
Seconds. The ceiling doubles from FIRST to LONGEST.

Below LONGEST the wait is drawn from all of [0, ceiling] (full jitter: AWS
Architecture Blog, "Exponential Backoff And Jitter"); from there on the circuit
is open and half of LONGEST is certain. So an outage sees at most 8 requests at
once and 120 in an hour after that, whatever the dice say.
"""


def delay(attempts: int, retry_after: float | None, random: Random) -> float:
    """
    Return the seconds to wait after *attempts* failures in a row (1 or more).

    Never less than the server's *retry_after* (RFC 9110 §10.2.3), seconds.
    """
    # The exponent is bounded: nobody shall add up 2.0 ** 5000.
    ceiling = min(LONGEST, FIRST * 2.0 ** min(attempts - 1, 16))
    floor = LONGEST / 2 if ceiling == LONGEST else 0.0
    return max(random.uniform(floor, ceiling), retry_after or 0.0)
