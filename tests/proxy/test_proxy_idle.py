"""A long poll outlives the limit for idle connections; an idle connection does not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from mitmproxy.connection import Client
from mitmproxy.options import Options
from mitmproxy.proxy import commands, server
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO

from everbearer.proxy import internals
from everbearer.proxy.options import IDLE_TIMEOUT
from renewal.virtual_time import virtual

LONG_POLL = 610
"""Seconds that Box holds one, without a byte in either direction."""

THEIRS = 600
"""Seconds after which mitmproxy by itself would end it."""


class Handler(ConnectionHandler):
    """A client's connection, as idle as can be."""

    def __init__(self, options: Options) -> None:
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        super().__init__(Context(client, options))
        reading = asyncio.ensure_future(asyncio.Event().wait())
        self.transports[client] = ConnectionIO(handler=reading)
        self.watching = asyncio.ensure_future(self.timeout_watchdog.watch())

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Have no hooks."""

    async def ended_after(self, seconds: float) -> bool:
        """Let time pass; tell whether the connection was ended."""
        reading = self.transports[self.client].handler
        assert reading is not None
        await asyncio.wait([reading], timeout=seconds)
        return reading.done()

    async def over(self) -> None:
        """Leave no task behind."""
        reading = self.transports[self.client].handler
        assert reading is not None
        for task in (reading, self.watching):
            task.cancel()
        await asyncio.wait([reading, self.watching])


@pytest.fixture
def idle(monkeypatch) -> Callable[[Callable[[Handler], Awaitable[None]], int], None]:
    """Return what runs a test with a connection, in virtual time, with a limit."""
    # Where it is no option, it is a constant of the whole process.
    constant = vars(server).get("TCP_TIMEOUT")
    if constant is not None:
        monkeypatch.setattr(server, "TCP_TIMEOUT", constant)

    def play(test: Callable[[Handler], Awaitable[None]], limit: int) -> None:
        @virtual
        async def played() -> None:
            loop, looks = asyncio.get_running_loop(), itertools.count()
            # mitmproxy looks again and again until time has moved.
            clock = SimpleNamespace(time=lambda: loop.time() + next(looks) * 1e-4)
            monkeypatch.setattr(server, "time", clock)
            options = Options()
            internals.set_idle_timeout(options, limit)
            handler = Handler(options)
            await test(handler)
            await handler.over()

        played()

    return play


def test_a_long_poll_is_held(idle):
    """One after another, each answered after 610 seconds of silence."""

    async def polls(handler: Handler) -> None:
        for _ in range(3):
            assert not await handler.ended_after(LONG_POLL)
            handler.timeout_watchdog.register_activity()

    idle(polls, IDLE_TIMEOUT)


def test_mitmproxys_own_limit_would_end_it(idle):
    """So the limit is what counts: with theirs the same poll does not live."""

    async def poll(handler: Handler) -> None:
        assert await handler.ended_after(LONG_POLL)

    idle(poll, THEIRS)


def test_an_idle_connection_is_ended(idle):
    """After the limit, counted from its last byte."""

    async def silence(handler: Handler) -> None:
        await asyncio.sleep(100)
        handler.timeout_watchdog.register_activity()
        assert not await handler.ended_after(IDLE_TIMEOUT - 1)
        assert await handler.ended_after(2)

    idle(silence, IDLE_TIMEOUT)
