"""What it costs to see what the tokens do: all of it, against nothing of it."""

from __future__ import annotations

import sys
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
from benchmark.programs import CONNECT, HERE, REVERSE, Contestant, Launch, serve
from benchmark.progress import progress
from benchmark.stage import Server, Stage, resource_server
from ports import unused_port

WAYS = (REVERSE, CONNECT)
CONNECTIONS = 16

ON = "dashboard, audit log, metrics"
OPEN = "the same, the page open"
OFF = "none of them"

READER = """
import contextlib, sys, urllib.error, urllib.request
jar = urllib.request.HTTPCookieProcessor()
page = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
with contextlib.suppress(urllib.error.HTTPError):  # the session is what is wanted
    page.open(sys.argv[1]).read()
events = page.open(sys.argv[1].partition("/open")[0] + "/api/events")
told = 0
for line in events:
    told += 1
    if told == 1:
        print("reading", flush=True)
"""
"""What a browser does whose page nobody looks at: it takes what comes."""

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
    ports = {ON: unused_port(), OPEN: unused_port()}
    launches = {OFF: serve(stage, server.port, "-q", rules=_nothing())} | {
        name: serve(stage, server.port, "-q", rules=_everything(stage, port))
        for name, port in ports.items()
    }
    proxies = {name: launch.start(stage) for name, launch in launches.items()}
    # What nobody has looked at yet is not loaded.
    before = {name: _counted(port) for name, port in ports.items()}
    _open_page(stage, launches[OPEN])
    taken: dict[str, dict[str, list[Slice]]] = {
        way: {name: [] for name in proxies} for way in WAYS
    }
    for number in range(size.rounds):
        for way in WAYS:
            progress(f"round {number + 1} of {size.rounds}: {way}")
            # None is always the one that comes after the same other.
            first = number % len(proxies)
            turn = list(proxies.items())
            for name, proxy in turn[first:] + turn[:first]:
                work = Work(proxy.ways[way], PATH, BODY, CONNECTIONS)
                slices = taken[way][name]
                slices.append(measure(work, size.seconds, proxy.cpu, server.cpu))
            for port in ports.values():
                _counted(port)  # as a Prometheus server asks every few seconds
    progress("")
    for way in WAYS:
        yield _table(way, taken[way])
    section = Section(f"memory, {REVERSE}", MEMORY)
    for name, proxy in proxies.items():
        section.rows.append([name, *_grown(proxy, server, size)])
    for name, port in ports.items():
        asked = _counted(port) - before[name]
        section.notes.append(f"{name}: {asked:.0f} requests counted by /metrics")
        if asked < size.last:
            section.failures.append(f"{name}: fewer than were asked")
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


def _open_page(stage: Stage, launch: Launch) -> None:
    """Have somebody look at the dashboard for the rest of the time."""
    config = launch.command[launch.command.index("-c") + 1]
    done = stage.everbearer("dashboard", "-c", config, "--no-browser")
    if done.returncode:
        raise MeasureError(f"the dashboard was not opened: {done.stderr}")
    reader = stage.run(sys.executable, "-c", READER, done.stdout.strip())
    reader.wait_for("reading")


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
