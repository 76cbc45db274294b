"""The dashboard as it runs: on a socket made beforehand, in the proxy's own loop."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.dashboard.answers import HTML, Answer
from everbearer.dashboard.guard import authorities
from everbearer.dashboard.session import Sessions
from everbearer.dashboard.state import State
from everbearer.dashboard.together import together
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping

    from everbearer.broker import Broker
    from everbearer.dashboard.collector import Collector
    from everbearer.dashboard.session import Keys
    from everbearer.dashboard.state import Instance
    from everbearer.dashboard.web import Plain

_PAGE: Final = Path(__file__).with_name("page")

_KINDS: Final = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}

_FAREWELL: Final = 1.0
"""Seconds for answers that are on their way when the dashboard ends."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens, and what it proves things with: from before any fork."""

    listening: socket.socket
    keys: Keys

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port."""
        host, port = self.listening.getsockname()[:2]
        return host, port


@asynccontextmanager
async def running(
    place: Place, broker: Broker, known: Collector, instance: Instance, plain: Plain
) -> AsyncIterator[None]:
    """
    Serve the dashboard while the context lasts.

    What it needs is loaded when somebody connects for the first time. In the end
    every connection is closed, streams of events at once.
    """
    begun = Begun(place, broker, known, instance, plain)
    begun.wait()
    try:
        yield
    finally:
        await begun.stop()


class Begun:
    """A dashboard that waits for its first visitor, and then serves."""

    def __init__(
        self,
        place: Place,
        broker: Broker,
        known: Collector,
        instance: Instance,
        plain: Plain,
    ) -> None:
        self._place = place
        self._broker = broker
        self._plain = plain
        self._state = State(broker, known, instance)
        # Now: a ticket that was made before may have been used with the last one.
        self._sessions = Sessions(place.keys, broker.clock.wall())
        self._tasks = Tasks()
        self._loading: asyncio.Task[None] | None = None
        self._end = asyncio.Event()

    def wait(self) -> None:
        """Wait for somebody to connect."""
        self._place.listening.setblocking(False)  # noqa: FBT003 - the name says it
        loop = asyncio.get_running_loop()
        loop.add_reader(self._place.listening, self._come)

    async def stop(self) -> None:
        """Serve nobody any more."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._place.listening)
        self._end.set()
        if self._loading is not None:
            await asyncio.wait({self._loading}, timeout=_FAREWELL)
            self._loading.cancel()
            await asyncio.wait({self._loading})

    def _come(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._place.listening)
        self._loading = self._tasks.spawn(self._serve(), name="dashboard")

    async def _serve(self) -> None:
        # In a thread: requests shall not wait for what they do not need.
        for name in ("web", "feed", "actions", "strangers"):
            module = f"everbearer.dashboard.{name}"
            await asyncio.to_thread(importlib.import_module, module)
        from everbearer.dashboard.actions import Actions  # noqa: PLC0415 - see above
        from everbearer.dashboard.feed import Feed  # noqa: PLC0415 - see above
        from everbearer.dashboard.strangers import is_strangers  # noqa: PLC0415 - same
        from everbearer.dashboard.web import Served, make_server  # noqa: PLC0415 - same

        feed, actions = Feed(self._state), Actions(self._broker)
        server = make_server(
            Served(
                own=authorities(*self._place.address),
                cookie=f"everbearer_{self._place.address[1]}",
                sessions=self._sessions,
                state=self._state,
                feed=feed,
                actions=actions,
                files=await asyncio.to_thread(page_files, _PAGE),
                plain={path: together(made) for path, made in self._plain.items()},
                stranger=is_strangers,
            )
        )
        loop, listening = asyncio.get_running_loop(), self._place.listening
        if not self._end.is_set():
            loop.add_reader(listening, server.accept, listening)
        try:
            await self._end.wait()
        finally:
            # Another socket may get its number before the loop has ended.
            loop.remove_reader(listening)
            listening.close()
            feed.close()
            await asyncio.sleep(0)
            await actions.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await server.close_all_connections()


def page_files(folder: Path) -> Mapping[str, Answer]:
    """Return the page's files by their paths: a table, and nothing beside it."""
    found = {
        f"/{path.name}": Answer(200, _KINDS[path.suffix], path.read_bytes())
        for path in sorted(folder.glob("*"))
        if path.suffix in _KINDS
    }
    if (index := found.pop("/index.html", None)) is not None:
        found["/"] = index
    return found
