"""The sandbox's clock: wall-clock time plus a shift that tests set."""

import math
import time
from collections.abc import Callable
from email.utils import formatdate


class Clock:
    """Tells the time that the sandbox's servers believe in, in seconds since 1970."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._date = (0, "")
        self.shift = 0.0

    def now(self) -> float:
        """Return the shifted time."""
        return self._wall() + self.shift

    def http_date(self) -> str:
        """Return the shifted time as a Date field value (RFC 9110 §5.6.7)."""
        second = math.floor(self.now())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]
