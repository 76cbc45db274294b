"""Thousands of connections that do nothing for a while, and then all have to answer."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.asked import BODY, PATH
from benchmark.figures import Column, Section, count, mib
from benchmark.lines import PAUSE, Crowd, MeasureError, Talk, Way, crowd, line
from benchmark.origin_process import Origin
from benchmark.programs import CONNECT, serve
from benchmark.stage import Stage
from benchmark.storm import fill

BESIDE = 500
"""Files that a process may have open beside its connections."""


@dataclass(frozen=True)
class Size:
    """How many connections of each kind, and for how long."""

    kept: int
    polls: int
    seconds: float


FULL = Size(kept=5000, polls=2000, seconds=60.0)
QUICK = Size(kept=50, polls=20, seconds=1.0)

COLUMNS = (
    Column("held open"),
    Column("seconds", count),
    Column("answered after", count),
    Column("memory, MiB", mib),
    Column("KiB/connection", lambda value: f"{value / 1024:.0f}"),
)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Open them, wait, ask on each that was idle, answer each that waits."""
    origin = Origin(stage)
    proxy = serve(stage, origin.port, "-q").start(stage)
    way = proxy.ways[CONNECT]
    notes, part = _room(size.kept + size.polls)
    kept, polls = int(size.kept * part), int(size.polls * part)
    with crowd() as many:
        fill(many, [_asking(many, way, PATH)])
        first = proxy.memory()
        fill(many, [_asking(many, way, PATH) for _ in range(kept)])
        idle, many.paused = many.paused, []
        fill(many, [_asking(many, way, "/2.0/poll") for _ in range(polls)])
        many.go_on()
        _wait_for_polls(origin, polls)
        held = proxy.memory()
        time.sleep(size.seconds)
        many.start(idle)
        origin.tell("release")
        many.run()
    name = f"{kept} idle, {polls} long polls"
    grown = None if first is None or held is None else float(held.now - first.now)
    row = [name, size.seconds, float(kept + polls)]
    each = None if grown is None else grown / (kept + polls)
    title = "idle connections, https by CONNECT"
    yield Section(title, COLUMNS, [[*row, grown, each]], notes)


def _asking(many: Crowd, way: Way, path: str) -> Talk:
    """Ask once, pause, and ask for *path*."""
    with line(many, way) as mine:
        yield from mine.open()
        yield from mine.ask(way.request("GET", PATH), BODY)
        yield PAUSE
        yield from mine.ask(way.request("GET", path), BODY)


def _wait_for_polls(origin: Origin, polls: int) -> None:
    """Wait until the server holds so many."""
    deadline = time.monotonic() + 120
    while origin.tell("counts")["polls"] < polls:
        if time.monotonic() > deadline:
            raise MeasureError("not all long polls came to the server")
        time.sleep(0.1)


def _room(wanted: int) -> tuple[list[str], float]:
    """Return which part of the connections the system allows, and what to say."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The proxy has one to the client and one to the server for each.
    room = (allowed - BESIDE) / 2
    if allowed == resource.RLIM_INFINITY or room >= wanted:
        return [], 1.0
    note = f"fewer than {wanted}: the system allows {allowed} open files a process"
    return [note], room / wanted
