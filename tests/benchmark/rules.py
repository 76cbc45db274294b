"""What a request costs with a thousand rules, against one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.asked import BODY, PATH
from benchmark.figures import Column, Section, count, median, ratio, times
from benchmark.load import Slice, Work, measure
from benchmark.programs import REVERSE, serve
from benchmark.stage import API, Stage, resource_server

CONNECTIONS = 16


@dataclass(frozen=True)
class Size:
    """How many rules, and how much is measured."""

    rules: int
    rounds: int
    seconds: float


FULL = Size(rules=1000, rounds=5, seconds=1.5)
QUICK = Size(rules=100, rounds=1, seconds=0.2)

COLUMNS = (
    Column("rules"),
    Column("requests/s", count),
    Column("CPU µs/request", count),
    Column("of one's", times),
)


def run(stage: Stage, size: Size) -> Iterator[Section]:
    """Measure the two in turn."""
    server = resource_server(stage)
    numbers = (1, size.rules)
    proxies = [
        serve(stage, server.port, "-q", rules=_rules(number)).start(stage)
        for number in numbers
    ]
    taken: list[list[Slice]] = [[], []]
    for _ in range(size.rounds):
        for proxy, slices in zip(proxies, taken, strict=True):
            work = Work(proxy.ways[REVERSE], PATH, BODY, CONNECTIONS)
            slices.append(measure(work, size.seconds, proxy.cpu, server.cpu))
    section = Section(f"rules, {REVERSE}, {CONNECTIONS} connections", COLUMNS)
    one = [each.cost for each in taken[0]]
    for number, slices in zip(numbers, taken, strict=True):
        costs = [each.cost for each in slices]
        rate = median(each.rate for each in slices)
        section.rows.append([str(number), rate, median(costs), ratio(costs, one)])
    section.rounds = [[each.json() for each in slices] for slices in taken]
    yield section


def _rules(number: int) -> str:
    """Return so many rules, of which the last is the one that is met."""
    hosts = [*(f"h{n}.example.com" for n in range(number - 1)), API]
    return "".join(
        f'\n[[rules]]\nhosts = ["{host}"]\npaths = ["/2.0/*"]\nprofiles = ["ccg"]\n'
        for host in hosts
    )
