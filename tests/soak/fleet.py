"""Several proxies on one store; any of them may be killed and started again."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness import Place, Proxy

MIB = 1024 * 1024


@dataclass
class Member:
    """One proxy of the fleet: its process of the moment, and how often it ended."""

    number: int
    proxy: Proxy
    ends: int = 0
    up: bool = True
    first_rss: int = 0
    growth: int = 0

    def weigh(self) -> None:
        """Note how much memory the process has gained since it was first weighed."""
        try:
            rss = self.proxy.process.rss()
        except (OSError, TypeError):
            return  # it was killed meanwhile: gone, or without memory
        self.first_rss = self.first_rss or rss
        self.growth = max(self.growth, rss - self.first_rss)


@dataclass
class Fleet:
    """
    *size* proxies with one configuration.

    Each has a folder of its own for mitmproxy's CA, as on machines of their own.
    """

    place: Place
    config: Path
    size: int
    members: list[Member] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start them all, and wait until each listens."""
        with ThreadPoolExecutor(self.size) as pool:
            proxies = list(pool.map(self._launch, range(self.size)))
        self.members = [Member(number, proxy) for number, proxy in enumerate(proxies)]

    def _launch(self, number: int) -> Proxy:
        root = self.place.root / f"proxy-{number}"
        root.mkdir(exist_ok=True)
        here = Place(root, self.place.processes)
        return Proxy(here, self.config)

    def pick(self, chance: random.Random) -> tuple[Member, Proxy, int]:
        """Return one that is up, its process, and how often it has ended."""
        with self._lock:
            member = chance.choice([each for each in self.members if each.up])
            return member, member.proxy, member.ends

    def ended_since(self, member: Member, ends: int) -> bool:
        """Tell whether the member's process was ended meanwhile."""
        with self._lock:
            return member.ends != ends

    def restart(self, member: Member, how: signal.Signals) -> None:
        """End the member's process by a signal and start another."""
        with self._lock:
            member.ends += 1
            member.up = False
        member.proxy.process.stop(how)
        self.place.processes.remove(member.proxy.process)
        proxy = self._launch(member.number)
        with self._lock:
            member.up = True
            member.proxy = proxy
            member.first_rss = 0

    def pause(self, member: Member, until: Callable[[], object]) -> None:
        """Stop the member's process where it stands, and let it go on *until*."""
        pid = member.proxy.process.child.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            until()
        finally:
            os.kill(pid, signal.SIGCONT)
