"""Every proxy in every way of asking, in turn, round after round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark import meter
from benchmark.asked import BODY, PATH
from benchmark.contestants import everyone
from benchmark.figures import (
    Column,
    Section,
    Value,
    count,
    median,
    mib,
    milliseconds,
    ratio,
    share,
    times,
)
from benchmark.lines import MeasureError
from benchmark.load import Slice, Work, measure
from benchmark.programs import (
    ADDON,
    ANEW,
    CONNECT,
    REVERSE,
    SERVE,
    TEN_LINES,
    WORKERS,
    Contestant,
    Missing,
)
from benchmark.progress import progress
from benchmark.stage import Server, Stage, resource_server

WAYS = (REVERSE, CONNECT, ANEW)

COLUMNS = (
    Column(""),
    Column("requests/s", count),
    Column("of bare", times),
    Column("p50 ms", milliseconds),
    Column("p99 ms", milliseconds),
    Column("CPU µs/request", count),
    Column("of bare's", times),
    Column("generator", share),
    Column("server", share),
)
MEMORY = (
    Column("memory, MiB"),
    Column("at first", mib),
    Column("at most", mib),
    Column("growth", mib),
)


@dataclass(frozen=True)
class Size:
    """How much is measured; `most` are the rounds of what is compared most."""

    rounds: int
    most: int
    seconds: float
    connections: tuple[int, ...]

    def of(self, cell: Cell) -> int:
        """Return the rounds of *cell*."""
        is_usual = cell.connections == USUAL and cell.way != ANEW
        return self.most if is_usual else self.rounds


USUAL = 16
FULL = Size(rounds=3, most=12, seconds=0.5, connections=(1, USUAL, 256))
QUICK = Size(rounds=1, most=1, seconds=0.1, connections=(1, USUAL))


@dataclass(frozen=True)
class Cell:
    """One way of asking with so many connections."""

    way: str
    connections: int

    @property
    def title(self) -> str:
        """Return what a person calls it."""
        plural = "s" if self.connections > 1 else ""
        return f"{self.way}, {self.connections} connection{plural}"


type Results = dict[Cell, dict[str, list[Slice]]]


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Start everyone, measure, and give a table for each way of asking."""
    server = resource_server(stage)
    every = list(everyone(stage, server))
    running = [each for each in every if isinstance(each, Contestant)]
    missing = [each for each in every if isinstance(each, Missing)]
    cells = [Cell(way, n) for way in WAYS for n in size.connections]
    results: Results = {cell: {} for cell in cells}
    failures: dict[Cell, list[str]] = {cell: [] for cell in cells}
    for each in running:
        each.first = each.memory()
    for number in range(max(map(size.of, cells))):
        for cell in cells:
            if number >= size.of(cell):
                continue
            progress(f"round {number + 1} of {size.of(cell)}: {cell.title}")
            # Nobody is always the one who comes after the same other.
            turn = number % len(running)
            for each in running[turn:] + running[:turn]:
                if cell.way not in each.ways:
                    continue
                taken = results[cell].setdefault(each.name, [])
                try:
                    taken.append(_one(each, cell, server, size.seconds))
                except MeasureError as failure:
                    failures[cell].append(f"{each.name}, {cell.title}: {failure}")
    progress("")
    for cell in cells:
        section = _table(cell, results[cell], running)
        section.failures = failures[cell]
        yield section
    yield _memory(running, missing)


def _one(each: Contestant, cell: Cell, server: Server, seconds: float) -> Slice:
    work = Work(
        way=each.ways[cell.way],
        path=PATH,
        expected=BODY,
        connections=cell.connections,
        keep=cell.way != ANEW,
    )
    return measure(work, seconds, each.cpu, server.cpu)


def _table(
    cell: Cell, taken: dict[str, list[Slice]], running: list[Contestant]
) -> Section:
    section = Section(cell.title, COLUMNS)
    bare = taken[running[0].name]
    for each in running:
        slices = taken.get(each.name)
        section.rows.append(
            [each.name, *([None] * (len(COLUMNS) - 1))]
            if not slices
            else [each.name, *_values(slices, bare)]
        )
    section.notes = _pairs(taken)
    section.rounds = {
        name: [each.json() for each in slices] for name, slices in taken.items()
    }
    return section


def _pairs(taken: dict[str, list[Slice]]) -> list[str]:
    """Return what two that are not bare have to do with each other."""
    notes = []
    addon, script = (taken.get(name, []) for name in (ADDON, TEN_LINES))
    if len(addon) == len(script):
        cost = ratio([each.cost for each in addon], [each.cost for each in script])
        if cost is not None:
            notes.append(f"the addon takes {times(cost)} the script's CPU")
    two, one = (taken.get(name, []) for name in (WORKERS, SERVE))
    if two and len(two) == len(one):
        rate = ratio([each.rate for each in two], [each.rate for each in one])
        if rate is not None:
            notes.append(f"two workers answer {times(rate)} what one does")
    return notes


def _values(slices: list[Slice], bare: list[Slice]) -> list[Value]:
    together = len(slices) == len(bare)
    rates = [each.rate for each in slices]
    costs = [each.cost for each in slices]
    return [
        median(rates),
        ratio(rates, [each.rate for each in bare]) if together else None,
        median(each.p50 for each in slices),
        median(each.p99 for each in slices),
        median(costs),
        ratio(costs, [each.cost for each in bare]) if together else None,
        median(each.generator_cpu / each.seconds for each in slices),
        median(
            None if each.server_cpu is None else each.server_cpu / each.seconds
            for each in slices
        ),
    ]


def _memory(running: list[Contestant], missing: list[Missing]) -> Section:
    section = Section("after all of it", MEMORY)
    for each in running:
        first, now = each.first, each.memory()
        if first is None or now is None:
            section.rows.append([each.name, None, None, None])
        else:
            grown = float(now.now - first.now)
            section.rows.append([each.name, first.now, now.peak, grown])
    section.notes = [f"not measured: {each.name}: {each.reason}" for each in missing]
    if not meter.THERE:
        section.notes.append("CPU and memory are not measured: there is no /proc")
    return section
