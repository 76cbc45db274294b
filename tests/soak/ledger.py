"""What happened during a run, counted by kind."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """
    Counts of what clients met and of what was done to the rest.

    A *loss* is what must never be: it is kept with all that is known of it.
    """

    answered: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)
    slowest: float = 0.0
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=4))
    began: float = field(default_factory=time.monotonic)
    _deaths: float = -1.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """Return how long it has been going on."""
        return time.monotonic() - self.began

    def answer(self, kind: str, seconds: float) -> None:
        """Count a request that was answered as it should be."""
        with self._lock:
            self.answered[kind] += 1
            self.slowest = max(self.slowest, seconds)

    def failure(self, kind: str) -> None:
        """Count a request that failed for a reason its client could see."""
        with self._lock:
            self.failures[kind] += 1

    def fault(self, kind: str) -> None:
        """Count something that was done to the server or to a proxy."""
        with self._lock:
            self.faults[kind] += 1
            self.recent.append(f"{kind} at {self.seconds:.1f} s")

    def tokens_died(self) -> None:
        """Note that the server has just made its tokens invalid."""
        self._deaths = time.monotonic()

    def died_since(self, began: float) -> bool:
        """Tell whether tokens died after *began*."""
        return self._deaths >= began

    def loss(self, what: str) -> None:
        """Keep what must never happen."""
        with self._lock:
            before = ", ".join(self.recent)
            self.losses.append(f"after {self.seconds:.1f} s: {what} (before: {before})")
