"""Requests that are all under way when their token is revoked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.asked import PATH
from benchmark.figures import Column, Section, count
from benchmark.lines import PAUSE, Crowd, Talk, Way, crowd, line
from benchmark.programs import REVERSE, serve
from benchmark.stage import Stage

TOGETHER = 100
"""Connections that are opened at a time, which a listener's queue has room for."""


@dataclass(frozen=True)
class Size:
    """How many are under way."""

    requests: int


FULL = Size(requests=2000)
QUICK = Size(requests=100)

COLUMNS = (
    Column("requests in flight"),
    Column("refused by the server", count),
    Column("answered 200", count),
    Column("token requests", count),
    Column("seconds", lambda value: f"{value:.1f}"),
)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Hold them at the server, revoke their token, let them go."""
    sandbox = stage.sandbox
    way = serve(stage, sandbox.port, "-q").start(stage).ways[REVERSE]
    with crowd() as many:
        fill(many, [_asking(many, way) for _ in range(size.requests)])
        sandbox.forget()
        held = sandbox.hold(path=PATH)
        many.go_on()
        sandbox.wait(size.requests, path=PATH)
        sandbox.revoke()
        began = time.perf_counter()
        sandbox.release(held)
        many.run()
        took = time.perf_counter() - began
    statuses = sandbox.statuses(PATH)
    issued = float(len(sandbox.token_requests()))
    # Whoever got anything but 200 has ended the measurement.
    row = [str(size.requests), float(statuses.count(401)), float(size.requests)]
    section = Section(f"a storm, {REVERSE}", COLUMNS, [[*row, issued, took]])
    if statuses.count(401) != size.requests:
        section.failures.append("not all were under way when the token was revoked")
    if issued != 1:
        section.failures.append(f"{issued:.0f} token requests instead of one")
    yield section


def fill(many: Crowd, talks: list[Talk]) -> None:
    """Begin these talks, a part at a time; each pauses once it is connected."""
    for first in range(0, len(talks), TOGETHER):
        many.start(talks[first : first + TOGETHER])
        many.run()


def _asking(many: Crowd, way: Way) -> Talk:
    request = way.request("GET", PATH)
    with line(many, way) as mine:
        yield from mine.open()
        yield from mine.ask(request)
        yield PAUSE
        yield from mine.ask(request)
