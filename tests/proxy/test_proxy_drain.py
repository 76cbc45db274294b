"""A connection reads on when mitmproxy's own would, over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mitmproxy.proxy.server import ConnectionIO

from everbearer.proxy import internals, pressure
from proxy.test_proxy_pressure import Handler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real

PIECE = bytes(1024 * 1024)
DRAINS = [pressure._drain_writers, pressure.drain_writers]
both = pytest.mark.parametrize("drain", DRAINS, ids=["theirs", "ours"])


class Stage:
    """A handler with a client's connection, and the client at its other end."""

    def __init__(self, handler: Any, reader: Any, writer: Any) -> None:
        self.handler, self.reader, self.writer = handler, reader, writer

    @property
    def io(self) -> ConnectionIO:
        """The handler's end."""
        io: ConnectionIO = self.handler.transports[self.handler.client]
        return io

    def stop_reading(self) -> None:
        """Send the client more than any buffer between holds."""
        self.writer.transport.pause_reading()
        assert self.io.writer is not None
        for _ in range(64):
            self.io.writer.write(PIECE)

    def drain(self, drain: Any) -> asyncio.Task[None]:
        """Begin what a connection does before it reads on."""
        return asyncio.ensure_future(drain(self.handler))


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Give a connection through this machine's own network."""
    came: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def come(*io: Any) -> None:
        came.set_result(io)

    server = await asyncio.start_server(come, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    theirs, ours = await asyncio.open_connection(host, port), await came
    handler = Handler()
    handler.transports.clear()
    handler.transports[handler.client] = ConnectionIO(None, *ours)
    try:
        yield Stage(handler, *theirs)
    finally:
        for _, writer in (theirs, ours):
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


@both
async def test_nothing_is_waited_for_where_nothing_is_behind(drain: Any):
    """What was written has left: the next is read."""
    async with stage() as here:
        assert here.io.writer is not None
        here.io.writer.write(b"x")
        await here.reader.readexactly(1)

        await asyncio.wait_for(here.drain(drain), 5)


@both
async def test_who_reads_slowly_is_waited_for(drain: Any):
    """However many wait for him, until he has read."""
    async with stage() as here:
        here.stop_reading()
        waiting = [here.drain(drain), here.drain(drain)]
        await turns()
        assert not any(each.done() for each in waiting)

        here.writer.transport.resume_reading()
        for _ in range(64):
            await here.reader.readexactly(len(PIECE))
        await asyncio.wait_for(asyncio.gather(*waiting), 5)


@both
async def test_who_has_gone_is_told_to_who_reads_from_him(drain: Any):
    """His connection's task is cancelled, with the reason."""
    async with stage() as here:
        here.stop_reading()
        here.io.handler = reading = asyncio.ensure_future(asyncio.Event().wait())
        waiting = here.drain(drain)
        await turns()
        here.writer.transport.abort()
        await asyncio.wait_for(waiting, 5)

        with pytest.raises(asyncio.CancelledError, match="Error sending data"):
            await reading
        await asyncio.wait_for(here.drain(drain), 5)


@both
@pytest.mark.parametrize("how", ["broken", "closing"])
async def test_a_fault_is_seen_though_nothing_is_behind(drain: Any, how: str):
    """Who reads by a connection that is broken, or was closed, is told so."""
    async with stage() as here:
        here.io.handler = reading = asyncio.ensure_future(asyncio.Event().wait())
        if how == "broken":
            assert isinstance(here.io.reader, asyncio.StreamReader)
            here.io.reader.set_exception(OSError("gone"))
        else:
            assert here.io.writer is not None
            here.io.writer.close()
        await asyncio.wait_for(here.drain(drain), 5)
        await turns()

        assert reading.cancelled()


@both
async def test_nothing_is_read_while_reading_is_paused(drain: Any, monkeypatch: Any):
    """Not one piece beyond that which was on its way, though nothing is behind."""
    async with stage() as here:
        monkeypatch.setattr(internals, "connection_handler", lambda _: here.handler)
        async with internals.reading_paused(here.handler.client):
            waiting = here.drain(drain)
            await turns()
            assert not waiting.done()

        await asyncio.wait_for(waiting, 5)
