"""One of several workers: it obeys its parent, and its parent knows when it serves."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, Problem
from everbearer.proxy.leaving import leave
from everbearer.tasks import Tasks
from everbearer.workers.channel import Order

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from everbearer.broker import Broker
    from everbearer.proxy.accepting import Doors
    from everbearer.workers.channel import Post


async def catch_up(broker: Broker, post: Post) -> None:
    """
    Have what the others have, who may have reloaded it since the parent read it.

    It reloads as they did: what takes a restart is as when the parent began.
    Raises ConfigError where it cannot be read: what the parent has may be older
    than what they serve by.
    """
    if not post.first and not await broker.reload():
        raise ConfigError(
            Problem("", f"worker {post.number} does not serve by an older one")
        )


class Worker:
    """A proxy that is one of several; SIGTERM has it alone leave."""

    def __init__(
        self, master: Master, broker: Broker, post: Post, doors: Doors
    ) -> None:
        self._master = master
        self._broker = broker
        self._post = post
        self._doors = doors
        self._tasks = Tasks()
        self._leaving = False
        self._signalled = False

    def begin(self) -> None:
        """Obey from now on; tell the parent as soon as this one serves."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._signal)
        self._post.listen(loop, self._obey)
        self._master.addons.add(self)

    def running(self) -> None:
        """Tell that this one serves."""
        self._post.ready()

    def done(self) -> None:
        """Stay deaf to what a service manager sends to everybody, if it comes late."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._signal)

    def _obey(self, order: Order) -> None:
        match order:
            case Order.LEAVE:
                self._leave(everybody=True)
            case Order.STOP:
                self._doors.close(let_in=False)
                self._master.shutdown()
            case Order.RELOAD:
                self._broker.reload_soon()

    def _signal(self) -> None:
        # A service manager sends it once to everybody, and so does the parent then.
        if self._signalled:
            self._master.shutdown()
        self._signalled = True
        self._leave(everybody=False)

    def _leave(self, *, everybody: bool) -> None:
        # Who has connected and waits is let in by those who stay; where it turns
        # out that nobody does (a service manager told each of us), by us after all.
        if everybody:
            self._doors.close(let_in=True)
        else:
            self._doors.shut()
        if not self._leaving:
            self._leaving = True
            self._tasks.spawn(leave(self._master, self._doors), name="leave")
