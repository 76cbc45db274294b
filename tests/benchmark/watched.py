"""What it costs to see what the tokens do: all of it, against nothing of it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.asked import BODY, PATH
from benchmark.figures import (
    Column,
    Section,
    Value,
    count,
    median,
    mib,
    milliseconds,
    ratio,
    times,
)
from benchmark.lines import MeasureError
from benchmark.load import Slice, Work, measure
from benchmark.programs import CONNECT, HERE, REVERSE, Contestant, serve
from benchmark.progress import progress
from benchmark.stage import Server, Stage, resource_server
from ports import unused_port

WAYS = (REVERSE, CONNECT)
CONNECTIONS = 16

ON = "dashboard, audit log, metrics"
OFF = "none of them"

COLUMNS = (
    Column("on"),
    Column("requests/s", count),
    Column("p50 ms", milliseconds),
    Column("CPU µs/request", count),
    Column("of none's", times),
)
MEMORY = (
    Column("memory, MiB"),
    Column("requests", count),
    Column("then", mib),
    Column("requests", count),
    Column("then", mib),
    Column("growth", mib),
)


@dataclass(frozen=True)
class Size:
    """How much is measured; `first` and `last` are requests before a look at memory."""

    rounds: int
    seconds: float
    first: int
    last: int


FULL = Size(rounds=8, seconds=1.5, first=20_000, last=100_000)
QUICK = Size(rounds=1, seconds=0.2, first=200, last=400)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Measure the two in turn, then the memory of each."""
    server = resource_server(stage)
    port = unused_port()
    proxies = {
        OFF: serve(stage, server.port, "-q", rules=_nothing()).start(stage),
        ON: serve(stage, server.port, "-q", rules=_everything(stage, port)).start(
            stage
        ),
    }
    # What nobody has looked at yet is not loaded.
    before = _counted(port)
    taken: dict[str, dict[str, list[Slice]]] = {
        way: {name: [] for name in proxies} for way in WAYS
    }
    for number in range(size.rounds):
        for way in WAYS:
            progress(f"round {number + 1} of {size.rounds}: {way}")
            # Neither is always the one that comes second.
            turn = list(proxies.items())[:: -1 if number % 2 else 1]
            for name, proxy in turn:
                work = Work(proxy.ways[way], PATH, BODY, CONNECTIONS)
                slices = taken[way][name]
                slices.append(measure(work, size.seconds, proxy.cpu, server.cpu))
            _counted(port)  # as a Prometheus server asks every few seconds
    progress("")
    for way in WAYS:
        yield _table(way, taken[way])
    section = Section(f"memory, {REVERSE}", MEMORY)
    for name, proxy in proxies.items():
        section.rows.append([name, *_grown(proxy, server, size)])
    asked = _counted(port) - before
    section.notes.append(f"{asked:.0f} requests were counted by /metrics")
    if asked < size.last:
        section.failures.append("fewer than were asked: it was not watched")
    yield section


def _table(way: str, taken: dict[str, list[Slice]]) -> Section:
    section = Section(f"{way}, {CONNECTIONS} connections", COLUMNS)
    none = [each.cost for each in taken[OFF]]
    for name, slices in taken.items():
        costs = [each.cost for each in slices]
        rate = median(each.rate for each in slices)
        half = median(each.p50 for each in slices)
        row: list[Value] = [name, rate, half, median(costs), ratio(costs, none)]
        section.rows.append(row)
    section.rounds = {k: [each.json() for each in v] for k, v in taken.items()}
    return section


def _grown(proxy: Contestant, server: Server, size: Size) -> list[Value]:
    """Return the memory after so many requests, and after many more."""
    work = Work(proxy.ways[REVERSE], PATH, BODY, CONNECTIONS)
    progress(f"{size.last} requests: {proxy.name}")
    measure(work, 0, proxy.cpu, server.cpu, size.first)
    first = proxy.memory()
    measure(work, 0, proxy.cpu, server.cpu, size.last - size.first)
    last = proxy.memory()
    progress("")
    if first is None or last is None:
        return [float(size.first), None, float(size.last), None, None]
    grown = float(last.now - first.now)
    return [
        *(float(size.first), float(first.now)),
        *(float(size.last), float(last.now), grown),
    ]


def _nothing() -> str:
    return "\n[dashboard]\nenabled = false\n"


def _everything(stage: Stage, port: int) -> str:
    log = stage.folder("audit") / "audit.jsonl"
    return (
        f'\n[dashboard]\nlisten = "{HERE}:{port}"\n\n[audit]\nfile = "{log}"\n'
        'max_size = "1GiB"\n'
    )


def _counted(port: int) -> float:
    """Return how many requests the proxy has counted, as a Prometheus server reads."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{HERE}:{port}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    if "everbearer_build_info" not in page:
        raise MeasureError("there are no metrics at /metrics")
    return sum(
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith("everbearer_requests_total{")
    )
