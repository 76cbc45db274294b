"""How long a proxy takes from its start until it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.asked import BODY, PATH
from benchmark.contestants import bare
from benchmark.figures import Column, Section, count, median
from benchmark.lines import crowd, line
from benchmark.programs import REVERSE, Launch, addon, serve
from benchmark.stage import Stage, listens, resource_server


@dataclass(frozen=True)
class Size:
    """How often each is started."""

    rounds: int


FULL = Size(rounds=5)
QUICK = Size(rounds=1)

COLUMNS = (
    Column("from the start, ms"),
    Column("listens", count),
    Column("first answer", count),
    Column("later than bare", count),
)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Start each again and again, with an authority and a token from before."""
    server = resource_server(stage)
    launches = [
        bare(stage, server),
        addon(stage, server.port),
        serve(stage, server.port, "-q"),
    ]
    for each in launches:
        each.start(stage).process.stop()
    taken: dict[str, list[tuple[float, float]]] = {each.name: [] for each in launches}
    for _ in range(size.rounds):
        for each in launches:
            taken[each.name].append(_once(stage, each))
    section = Section("ready", COLUMNS, rounds=taken)
    first = taken[launches[0].name]
    for name, times in taken.items():
        listening = median(each[0] * 1e3 for each in times)
        answered = median(each[1] * 1e3 for each in times)
        pairs = zip(times, first, strict=True)
        later = median((ours[1] - theirs[1]) * 1e3 for ours, theirs in pairs)
        section.rows.append([name, listening, answered, later])
    yield section


def _once(stage: Stage, launch: Launch) -> tuple[float, float]:
    """Return the seconds until it listens, and until it has answered a request."""
    began = time.perf_counter()
    process = launch.begin(stage)
    stage.wait_until(process, lambda: all(map(listens, launch.ports)))
    listening = time.perf_counter() - began
    way = launch.ways()[REVERSE]
    with crowd() as alone, line(alone, way) as client:

        def talk():
            yield from client.open()
            yield from client.ask(way.request("GET", PATH), BODY)

        alone.start([talk()])
        alone.run()
    answered = time.perf_counter() - began
    process.stop()
    stage.processes.remove(process)
    return listening, answered
