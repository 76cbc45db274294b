"""What expiries cost: tokens of two seconds against tokens of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark import meter
from benchmark.asked import BODY, PATH
from benchmark.figures import (
    Column,
    Section,
    count,
    median,
    milliseconds,
    ratio,
    times,
)
from benchmark.lines import MeasureError
from benchmark.load import Slice, Work, measure
from benchmark.origin_process import Origin
from benchmark.programs import REVERSE, Contestant, serve
from benchmark.stage import Stage

CONNECTIONS = 16


@dataclass(frozen=True)
class Size:
    """How many requests for each life of a token, in how many parts."""

    requests: int
    rounds: int
    short: int = 2
    long: int = 3600


FULL = Size(requests=100_000, rounds=10)
QUICK = Size(requests=100, rounds=1, short=1)

COLUMNS = (
    Column("tokens of"),
    Column("requests", count),
    Column("failed", count),
    Column("requests/s", count),
    Column("p50 ms", milliseconds),
    Column("p99 ms", milliseconds),
    Column("p99 of the long", times),
    Column("tokens issued", count),
    Column("401s healed", count),
)


@dataclass
class Side:
    """A proxy, and a server that gives tokens of one life and refuses what ended."""

    life: int
    origin: Origin
    proxy: Contestant
    taken: list[Slice]

    def measure(self, seconds: float, requests: int) -> None:
        """Measure for so long, and until so many are answered."""
        work = Work(self.proxy.ways[REVERSE], PATH, BODY, CONNECTIONS)
        server = self.origin.process.child.pid
        slice_ = measure(
            work,
            seconds,
            self.proxy.cpu,
            lambda: meter.cpu(server) if meter.THERE else None,
            requests,
        )
        self.taken.append(slice_)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Measure the two in turn."""
    sides = [_side(stage, life) for life in (size.long, size.short)]
    for _ in range(size.rounds):
        for side in sides:
            # Longer than the short ones live.
            side.measure(1.5 * size.short, size.requests // size.rounds)
    section = Section(f"expiries, {REVERSE}, {CONNECTIONS} connections", COLUMNS)
    long = [each.p99 for each in sides[0].taken]
    for side in sides:
        counts = side.origin.tell("counts")
        taken = side.taken
        section.rows.append(
            [
                f"{side.life} s",
                float(sum(each.requests for each in taken)),
                0.0,  # the first that fails ends the measurement
                median(each.rate for each in taken),
                median(each.p50 for each in taken),
                median(each.p99 for each in taken),
                ratio([each.p99 for each in taken], long),
                float(counts["issued"]),
                float(counts["refused"]),
            ]
        )
        if side.life == size.short and counts["issued"] < 2 * size.rounds:
            raise MeasureError(f"no token has ended: {counts}")
    section.rounds = [[each.json() for each in side.taken] for side in sides]
    yield section


def _side(stage: Stage, life: int) -> Side:
    origin = Origin(stage, "--life", str(life))
    return Side(life, origin, serve(stage, origin.port, "-q").start(stage), [])
