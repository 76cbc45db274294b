"""What `serve` lets people see: the dashboard's place, and who is told of events."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from everbearer import __version__
from everbearer.cli import voice
from everbearer.cli.banner import banner
from everbearer.cli.for_programs import for_programs
from everbearer.cli.set_up import set_up
from everbearer.dashboard import runtime
from everbearer.dashboard.collector import Collector
from everbearer.dashboard.running import Place, running
from everbearer.dashboard.session import KEY_BYTES, Keys
from everbearer.dashboard.state import Instance
from everbearer.errors import ConfigError, Problem, StoreError, reason_of
from everbearer.metrics.page import metrics_of
from everbearer.policy.hosts import join_authority
from everbearer.proxy.addresses import bound_to
from everbearer.secret import Secret
from everbearer.settings.model import Address
from everbearer.settings.real_box import not_the_real_box
from everbearer.workers.forwarding import AllWorkers

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from everbearer.broker import Broker
    from everbearer.events import Subscriber
    from everbearer.settings.model import DashboardSettings, Settings
    from everbearer.workers.channel import Post

DEFAULT: Final = Address("127.0.0.1", 8083)
"""Beside the proxy's 8080, mitmweb's 8081, and 8082 of the examples' listeners."""


class Watched:
    """
    The dashboard of one instance: its place from before any fork, and its parts.

    Raises ConfigError where the address that is configured cannot be had.
    """

    def __init__(self, settings: Settings, workers: int) -> None:
        self._source = settings.source
        self._workers = workers
        self._all = AllWorkers(workers)
        self._stack = ExitStack()
        self.authority = Path.home() / ".mitmproxy" / "mitmproxy-ca-cert.pem"
        """What tools have to trust: known for certain when the proxy serves."""
        self.place: Place | None = None
        if (listening := _listening(settings.dashboard)) is not None:
            keys = Keys(ticket=_key(), session=_key())
            self.place = Place(listening, keys)

    def __enter__(self) -> Self:
        self._stack.callback(self._all.close)
        if self.place is not None:
            self._stack.callback(self.place.listening.close)
            host, port = self.place.address
            key = self.place.keys.ticket
            found = runtime.Found(self._source, host, port, key, os.getpid())
            try:
                self._stack.enter_context(
                    runtime.announced(found, runtime.default_folder())
                )
            except StoreError as error:
                voice.warn(f"nobody can open the dashboard: {error.message}")
                voice.hint(error.hint)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """What listens."""
        return () if self.place is None else (self.place.listening,)

    @property
    def ports(self) -> frozenset[int]:
        """What clients of the proxy must not reach."""
        return frozenset(each.getsockname()[1] for each in self.sockets)

    @property
    def line(self) -> str:
        """What the banner says of it."""
        if self.place is None:
            return "no dashboard: dashboard.enabled is false"
        where = f"http://{join_authority(*self.place.address)}"
        return f"dashboard on {where}, opened by: everbearer dashboard"

    @asynccontextmanager
    async def watching(self, broker: Broker, post: Post | None) -> AsyncIterator[None]:
        """Tell what happens to whoever watches, while the context lasts."""
        number = post.number if post else 1
        known = Collector()
        metrics = metrics_of(broker)
        subscribers: list[Subscriber] = []
        if self.place is not None:
            subscribers.append(known)
            if metrics is not None:
                subscribers.append(metrics.counts)
        with self._all.told(broker.subscribe, number, subscribers, known.lose):
            if self.place is None or number != 1:
                yield
                return
            instance = Instance(
                version=__version__,
                workers=self._workers,
                elsewhere=not_the_real_box,
                set_up=lambda settings: tuple(set_up(settings, self.authority)),
            )
            plain = for_programs(broker, metrics)
            async with running(self.place, broker, known, instance, plain):
                yield


def greet(settings: Settings, watched: Watched, *, quiet: bool) -> None:
    """Say where everything is, and what is to be known of it."""
    if not quiet:
        for line in (*banner(settings, watched.authority), watched.line):
            voice.say(line)
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)


def _key() -> Secret:
    return Secret(secrets.token_hex(KEY_BYTES))


def _listening(settings: DashboardSettings) -> socket.socket | None:
    """Return a socket that listens; None where there is to be none."""
    if not settings.enabled:
        return None
    address = settings.listen or DEFAULT
    try:
        return bound_to(address.host, address.port)
    except OSError as error:
        if settings.listen is None:
            return bound_to(address.host, 0)
        reason = reason_of(error)
        if error.errno == errno.EADDRINUSE:
            reason = "something else listens there"
        raise ConfigError(
            Problem(
                "dashboard.listen",
                f"cannot listen on {address}: {reason}",
                "stop what listens there, or remove the line: then any free port will"
                " do",
            )
        ) from None
