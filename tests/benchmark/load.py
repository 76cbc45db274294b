"""Requests one after another on each of many connections, for so many seconds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.lines import PAUSE, Crowd, MeasureError, Talk, Way, crowd, line


@dataclass(frozen=True)
class Slice:
    """What one measurement found; CPU in seconds, None where it cannot be read."""

    requests: int
    seconds: float
    p50: float
    p99: float
    proxy_cpu: float | None
    server_cpu: float | None
    generator_cpu: float

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float | None:
        """Return the CPU microseconds of the proxy for one request."""
        return None if self.proxy_cpu is None else self.proxy_cpu / self.requests * 1e6

    def json(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)


@dataclass(frozen=True)
class Work:
    """What is asked, and on how many connections."""

    way: Way
    path: str
    expected: bytes
    connections: int
    keep: bool = True
    """Requests share a connection; else each has a new one."""


type Meter = Callable[[], float | None]


def percentile(ordered: list[float], share: float) -> float:
    """Return the smallest value that so large a share does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Load:
    """One measurement."""

    def __init__(self, work: Work, among: Crowd) -> None:
        self._work = work
        self._crowd = among
        self._request = work.way.request(
            "GET", work.path, "" if work.keep else "Connection: close\r\n"
        )
        self._over = False
        self._taken: list[float] = []

    def open(self) -> None:
        """Connect; whoever keeps a connection has had one answer on it then."""
        talk = self._kept if self._work.keep else self._anew
        self._crowd.start([talk() for _ in range(self._work.connections)])
        self._crowd.run()

    def _kept(self) -> Talk:
        request, expected, clock = self._request, self._work.expected, time.perf_counter
        with line(self._crowd, self._work.way) as mine:
            yield from mine.open()
            yield from mine.ask(request, expected)
            yield PAUSE
            while not self._over:
                began = clock()
                yield from mine.ask(request, expected)
                self._taken.append(clock() - began)

    def _anew(self) -> Talk:
        clock = time.perf_counter
        yield PAUSE
        while not self._over:
            began = clock()
            with line(self._crowd, self._work.way) as mine:
                yield from mine.open()
                yield from mine.ask(self._request, self._work.expected)
            self._taken.append(clock() - began)

    def run(self, seconds: float, proxy: Meter, server: Meter, least: int = 1) -> Slice:
        """Measure for so long, and longer until there are *least* answers."""
        before = proxy(), server()
        own, began = time.thread_time(), time.perf_counter()
        end = time.monotonic() + seconds
        self._crowd.go_on()
        while time.monotonic() < end or len(self._taken) < least:
            self._crowd.run(max(end, time.monotonic() + 0.01))
        # What is begun is finished and counted: its work is in the CPU time.
        self._over = True
        self._crowd.run()
        took = time.perf_counter() - began
        own = time.thread_time() - own
        after = proxy(), server()
        taken = sorted(self._taken)
        spent = [
            None if a is None or b is None else b - a
            for a, b in zip(before, after, strict=True)
        ]
        return Slice(
            requests=len(taken),
            seconds=took,
            p50=percentile(taken, 0.5),
            p99=percentile(taken, 0.99),
            proxy_cpu=spent[0],
            server_cpu=spent[1],
            generator_cpu=own,
        )


def measure(
    work: Work, seconds: float, proxy: Meter, server: Meter, least: int = 1
) -> Slice:
    """Return one slice; raises MeasureError where an answer is not as expected."""
    gc.collect()
    gc.disable()
    try:
        with crowd() as among:
            load = Load(work, among)
            load.open()
            return load.run(seconds, proxy, server, least)
    except OSError as error:
        raise MeasureError(str(error)) from None
    finally:
        gc.enable()
