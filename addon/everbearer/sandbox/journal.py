"""What was asked of the sandbox: one entry a request, counters, and waiting for it."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum

from everbearer.sandbox.matching import Match

# Enough for a soak's last minutes; older entries are forgotten.
KEPT_ENTRIES = 100_000


class Phase(StrEnum):
    """How far a request has come."""

    HEAD = "head"
    ARRIVED = "arrived"
    ANSWERED = "answered"


_REACHED = {
    Phase.HEAD: (Phase.HEAD, Phase.ARRIVED, Phase.ANSWERED),
    Phase.ARRIVED: (Phase.ARRIVED, Phase.ANSWERED),
    Phase.ANSWERED: (Phase.ANSWERED,),
}


@dataclass(slots=True)
class Entry:
    """
    One request. `at` is the sandbox's time when its head arrived.

    `overlapping_redeems` counts the redeems of its refresh token in flight when it
    came, itself included. `disconnected`: the connection ended before the answer did.
    """

    seq: int
    at: float
    method: str
    host: str
    path: str
    query: str
    token_label: str | None
    authorization_count: int
    as_user: str | None
    box_api: str | None
    phase: Phase = Phase.HEAD
    status: int | None = None
    body_length: int = 0
    body_sha256: str | None = None
    grant_type: str | None = None
    overlapping_redeems: int = 0
    fault: int | None = None
    held: bool = False
    disconnected: bool = False


@dataclass(slots=True)
class _Waiter:
    match: Match
    phase: Phase
    since: int
    count: int
    future: asyncio.Future[None]


class Journal:
    """The requests since the start or the last `clear`."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._seq = 0
        self._waiters: list[_Waiter] = []
        self._redeems: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Forget the entries and reset the counters; `seq` goes on counting."""
        self._entries.clear()
        self.token_requests = 0
        self.unauthorized = 0
        self.most_overlapping_redeems = 0

    def begin(self, entry: Entry) -> None:
        """Take a request whose head has arrived, and number it."""
        self._seq += 1
        entry.seq = self._seq
        self._entries.append(entry)
        if self._waiters:
            self._wake()

    def arrived(self, entry: Entry) -> None:
        """Note that the whole request is there."""
        entry.phase = Phase.ARRIVED
        if self._waiters:
            self._wake()

    def answered(self, entry: Entry, status: int) -> None:
        """Note the answer, before it is sent."""
        entry.phase = Phase.ANSWERED
        entry.status = status
        self.unauthorized += status == 401  # noqa: PLR2004  the status itself
        if self._waiters:
            self._wake()

    @contextmanager
    def redeeming(self, entry: Entry, refresh_token: str) -> Iterator[None]:
        """Count a redeem of *refresh_token* as in flight meanwhile."""
        label = token_label(refresh_token)
        self._redeems[label] += 1
        entry.overlapping_redeems = self._redeems[label]
        self.most_overlapping_redeems = max(
            self.most_overlapping_redeems, self._redeems[label]
        )
        try:
            yield
        finally:
            self._redeems[label] -= 1
            if not self._redeems[label]:
                del self._redeems[label]

    def select(self, match: Match, phase: Phase, since: int) -> list[Entry]:
        """Return the matching entries after *since* that have come to *phase*."""
        return [
            entry
            for entry in self._entries
            if entry.seq > since
            and entry.phase in _REACHED[phase]
            and match.fits(entry.method, entry.host, entry.path, entry.grant_type)
        ]

    async def wait(
        self, match: Match, phase: Phase, since: int, count: int, timeout_s: float
    ) -> list[Entry]:
        """
        Return the matching entries as soon as there are *count* of them.

        Raises TimeoutError.
        """
        if len(self.select(match, phase, since)) < count:
            waiter = _Waiter(
                match, phase, since, count, asyncio.get_running_loop().create_future()
            )
            self._waiters.append(waiter)
            try:
                await asyncio.wait_for(waiter.future, timeout_s)
            finally:
                self._waiters.remove(waiter)
        return self.select(match, phase, since)

    def to_json(self, entries: list[Entry]) -> dict[str, object]:
        """Return the entries and the counters."""
        return {
            "requests": [asdict(entry) for entry in entries],
            "last_seq": self._seq,
            "counters": {
                "token_requests": self.token_requests,
                "unauthorized": self.unauthorized,
                "most_overlapping_redeems": self.most_overlapping_redeems,
            },
        }

    def _wake(self) -> None:
        for waiter in self._waiters:
            found = self.select(waiter.match, waiter.phase, waiter.since)
            if len(found) >= waiter.count and not waiter.future.done():
                waiter.future.set_result(None)


def token_label(token: str) -> str:
    """Return what stands for *token* in a list: 12 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]
