"""What is done to the server and to the proxies during a run, at random."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import Sandbox
from soak.fleet import Fleet
from soak.ledger import Ledger
from soak.places import StorePlace

TOKEN = "/oauth2/token"
TOKEN_FAULTS: dict[str, dict[str, object]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "429, Retry-After 1": {"status": 429, "retry_after": 1},
    "409": {"status": 409},
    "HTML in place of JSON": {"html": True},
    "closed before the work": {"disconnect": "before"},
    "closed after the work": {"disconnect": "after"},
    "answer cut": {"truncate": 40},
    "2 s late": {"delay": 2.0},
}
OVERLAP_EXCUSED = 10.0
"""Seconds after the end of a holder in which another redeem may overlap with his."""


@dataclass
class Chaos:
    """Does one thing after the other, chosen by *chance*, until it is stopped."""

    sandbox: Sandbox
    fleet: Fleet
    store: StorePlace
    ledger: Ledger
    chance: random.Random
    stopped: threading.Event
    pause: float
    last_end: float = field(default=-1e9)

    def run(self) -> None:
        """Go on until it is stopped."""
        names = list(ACTIONS)
        weights = [weight for weight, _ in ACTIONS.values()]
        while not self.stopped.wait(self.chance.random() * 2 * self.pause):
            (name,) = self.chance.choices(names, weights)
            self.ledger.fault(name)
            try:
                ACTIONS[name][1](self)
            except (OSError, AssertionError) as error:
                self.ledger.loss(f"{name}: {error}")

    def revoke(self) -> None:
        self.sandbox.revoke()
        self.ledger.tokens_died()

    def expire(self) -> None:
        self.sandbox.call("POST", "tokens/expire", {})
        self.ledger.tokens_died()

    def trouble_tokens(self) -> None:
        name = self.chance.choice(list(TOKEN_FAULTS))
        times = self.chance.randrange(1, 4)
        self.sandbox.fault(dict(TOKEN_FAULTS[name]), path=TOKEN, times=times)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        self.last_end = time.monotonic()
        self.fleet.restart(self.chance.choice(self.fleet.members), how)
        self.last_end = time.monotonic()

    def freeze(self) -> None:
        member = self.chance.choice(self.fleet.members)
        seconds = 1 + 3 * self.chance.random()
        self.fleet.pause(member, lambda: self.stopped.wait(seconds))

    def shift_clock(self) -> None:
        shift = self.chance.choice([-3600, 0, 3600])
        self.sandbox.call("POST", "clock", {"shift": shift})
        self.ledger.tokens_died()

    def trouble_store(self) -> None:
        if self.store.trouble(self.stopped, 0.5 + 2 * self.chance.random()):
            self.last_end = time.monotonic()

    def overlap_is_excused(self) -> bool:
        """Tell whether a holder of the lock may just have been ended in a redeem."""
        return time.monotonic() - self.last_end < OVERLAP_EXCUSED


ACTIONS: dict[str, tuple[int, Callable[[Chaos], None]]] = {
    "all tokens revoked": (4, Chaos.revoke),
    "all tokens expired early": (2, Chaos.expire),
    "token endpoint misbehaves": (6, Chaos.trouble_tokens),
    "proxy killed": (4, Chaos.kill),
    "proxy stopped": (1, Chaos.stop),
    "proxy frozen": (2, Chaos.freeze),
    "server's clock an hour off": (1, Chaos.shift_clock),
    "store out of reach": (3, Chaos.trouble_store),
}
