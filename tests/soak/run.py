"""
A long run of proxies, clients and a sandbox, all of which misbehave at random.

It ends with exit code 1 if anything was lost. What is random comes from the seed;
what the machine makes of it does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Place, Sandbox
from soak.chaos import TOKEN, Chaos
from soak.clients import Client, ask_each
from soak.fleet import MIB, Fleet
from soak.ledger import Ledger
from soak.places import STORES

GROWTH_LIMIT = 64 * MIB
LOOK_EVERY = 2.0
OK = 200


@dataclass
class Server:
    """What the sandbox saw, as of the last look."""

    sandbox: Sandbox
    entries: list[dict[str, Any]] = field(default_factory=list)
    unauthorized: int = 0

    def look(self) -> int:
        """Take in the journal; return how many redeems overlapped since the last."""
        before = self.overlapping
        told = self.sandbox.call("GET", f"requests?path={TOKEN}")
        self.entries = told["requests"]
        self.unauthorized = told["counters"]["unauthorized"]
        return self.overlapping - before

    @property
    def overlapping(self) -> int:
        """Return how many redeems came while one of the same token was in flight."""
        return sum(entry["overlapping_redeems"] > 1 for entry in self.entries)

    @property
    def issued(self) -> int:
        """Return how many token requests were answered with a token."""
        return sum(entry["status"] == OK for entry in self.entries)


@dataclass
class Soak:
    """One run."""

    place: Place
    seed: int
    store: str
    proxies: int
    clients: int
    token_life: float

    def run(self, seconds: float, progress: bool) -> Ledger:
        """Run so long, then see whether all is healed."""
        sandbox = Sandbox(self.place, "--token-life", str(self.token_life))
        self.server = Server(sandbox)
        store = STORES[self.store]()
        self.fleet = Fleet(self.place, store.config(sandbox), self.proxies)
        self.fleet.start()
        ledger = Ledger()
        stopped = threading.Event()
        chaos = Chaos(
            sandbox, self.fleet, store, ledger, self._chance("chaos"), stopped, pause=2
        )
        workers = [
            Client(self.fleet, ledger, self._chance(n), stopped, pause=0.1)
            for n in range(self.clients)
        ]
        with ThreadPoolExecutor(self.clients + 1) as pool:
            running = [pool.submit(worker.run) for worker in [chaos, *workers]]
            try:
                while ledger.seconds < seconds and not any(r.done() for r in running):
                    stopped.wait(LOOK_EVERY)
                    self._look(ledger, chaos)
                    if progress:
                        self._tell(ledger, seconds)
            finally:
                stopped.set()
        for each in running:
            each.result()
        self._heal(sandbox, ledger)
        return ledger

    def _chance(self, name: object) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def _look(self, ledger: Ledger, chaos: Chaos) -> None:
        if self.server.look() and not chaos.overlap_is_excused():
            ledger.loss("two redeems of one refresh token overlapped")
        for member in self.fleet.members:
            member.weigh()

    def _tell(self, ledger: Ledger, seconds: float) -> None:
        left = max(0.0, seconds - ledger.seconds)
        sys.stderr.write(
            f"\r{left:5.0f} s left, {ledger.answered.total()} answered, "
            f"{ledger.failures.total()} failed, {len(ledger.losses)} lost "
        )
        sys.stderr.flush()

    def _heal(self, sandbox: Sandbox, ledger: Ledger) -> None:
        """With all faults gone, every profile is served by every proxy."""
        sandbox.call("DELETE", "faults")
        sandbox.call("POST", "clock", {"shift": 0})
        sandbox.revoke()
        for member in self.fleet.members:
            for flaw in ask_each(member.proxy, patience=90):
                ledger.loss(f"not healed in the end: proxy {member.number}, {flaw}")
        self.server.look()

    def table(self, ledger: Ledger) -> list[str]:
        """Return what happened, for people."""
        growth = max(member.growth for member in self.fleet.members)
        rows = [
            ("requests answered as they should be", ledger.answered.total()),
            *((f"  {kind}", n) for kind, n in sorted(ledger.answered.items())),
            ("requests that failed, and why", ledger.failures.total()),
            *((f"  {kind}", n) for kind, n in sorted(ledger.failures.items())),
            ("lost", len(ledger.losses)),
            ("token requests", len(self.server.entries)),
            ("  answered with a token", self.server.issued),
            (
                "  that failed, or were cut",
                len(self.server.entries) - self.server.issued,
            ),
            ("  beside one whose sender was killed", self.server.overlapping),
            ("401s that the server sent", self.server.unauthorized),
            ("done to them", ledger.faults.total()),
            *((f"  {kind}", n) for kind, n in sorted(ledger.faults.items())),
        ]
        lines = [f"{name:<44}{count:>8}" for name, count in rows]
        lines.append(f"{'slowest answer':<44}{ledger.slowest:>7.1f} s")
        lines.append(f"{'memory growth, worst proxy':<44}{growth / MIB:>6.1f} MiB")
        return lines


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 0: nothing was lost."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--store", choices=sorted(STORES), default="sqlite")
    parser.add_argument("--proxies", type=int, default=3)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--token-life", type=float, default=6.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="everbearer-soak-") as folder:
        place = Place(Path(folder))
        soak = Soak(
            place, seed, given.store, given.proxies, given.clients, given.token_life
        )
        try:
            ledger = soak.run(given.minutes * 60, progress=sys.stderr.isatty())
            table = soak.table(ledger)
        finally:
            place.close()
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    head = (
        f"{ledger.seconds / 60:.1f} minutes, {given.proxies} proxies on one "
        f"{given.store} store, {given.clients} clients, tokens of "
        f"{given.token_life:g} s, seed {seed}"
    )
    sys.stdout.write("\n".join([head, "", *table]) + "\n")
    for loss in ledger.losses[:50]:
        sys.stdout.write(f"LOST {loss}\n")
    grown = max(member.growth for member in soak.fleet.members) > GROWTH_LIMIT
    if grown:
        sys.stdout.write(f"memory grew by more than {GROWTH_LIMIT // MIB} MiB\n")
    return 1 if ledger.losses or grown else 0


if __name__ == "__main__":
    sys.exit(main())
