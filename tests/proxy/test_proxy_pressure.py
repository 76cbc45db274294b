"""Whoever has too much in mitmproxy's queues is not read until they have moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from mitmproxy.connection import Client, Connection, ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import ConnectionClosed, DataReceived
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers.http import (
    HttpLayer,
    HTTPMode,
    HttpStream,
    RequestData,
    ResponseData,
)
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO

from everbearer.proxy import pressure

MORE = pressure.QUEUED + 1


class Handler(ConnectionHandler):
    """A client's connection and one to a server, with an HTTP layer and a stream."""

    def __init__(self) -> None:
        client = Client(
            peername=("::1", 1),
            sockname=("::1", 2),
            timestamp_start=0,
            state=ConnectionState.OPEN,
        )
        context = Context(client, Options())
        self.upstream = Server(address=("api.box.com", 443))
        context.server = self.upstream
        super().__init__(context)
        self.tunnel = ServerTLSLayer(context)
        self.http = HttpLayer(context, HTTPMode.transparent)
        self.stream = HttpStream(context.fork(), 1)
        self.http.streams[1] = self.stream
        for connection in (client, self.upstream):
            self.transports[connection] = ConnectionIO()

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Have no hooks."""

    async def read_on(self, connection: Connection) -> None:
        """Do what a connection's task does before it reads on."""
        self.transports[connection].handler = asyncio.current_task()
        await pressure.drain_writers(self)


def undecided(handler: Handler, connection: Connection, data: bytes) -> None:
    """Queue *data* where it is not yet known what it is."""
    assert isinstance(handler.layer, NextLayer)
    handler.layer.events.append(DataReceived(connection, data))


def handshaking(handler: Handler, connection: Connection, data: bytes) -> None:
    """Queue *data* until a server has let us in."""
    handler.tunnel._event_queue.append(DataReceived(connection, data))


def paused(handler: Handler, connection: Connection, data: bytes) -> None:
    """Queue *data* until a hook of a request is over."""
    kind = RequestData if connection is handler.client else ResponseData
    handler.stream._paused_event_queue.append(kind(1, data))


def nested(handler: Handler, connection: Connection, data: bytes) -> None:
    """Queue *data* inside the tunnel that a CONNECT has made."""
    handler.stream.child_layer = inner = NextLayer(handler.stream.context)
    inner._paused_event_queue.append(DataReceived(connection, data))


QUEUES = [undecided, handshaking, paused, nested]

type Queue = Callable[[Handler, Connection, bytes], None]


@pytest.mark.parametrize("queue", QUEUES)
async def test_a_full_queue_is_seen_wherever_it_is(queue: Queue):
    """It concerns the side whose bytes they are, and only beyond the limit."""
    for side, other in (("client", "upstream"), ("upstream", "client")):
        for size in (1, pressure.QUEUED, MORE):
            handler = Handler()
            queue(handler, getattr(handler, side), bytes(size))

            assert pressure.is_full(handler, getattr(handler, side)) == (size == MORE)
            assert not pressure.is_full(handler, getattr(handler, other))


async def test_what_is_no_body_takes_no_room():
    """An end of a connection is queued as well."""
    handler = Handler()
    handler.stream._paused_event_queue.append(ConnectionClosed(handler.client))

    assert not pressure.is_full(handler, handler.client)


async def test_many_small_pieces_are_too_much_as_well():
    """Each takes far more memory than it has bytes."""
    handler = Handler()
    for _ in range(1001):
        paused(handler, handler.client, b"x")

    assert pressure.is_full(handler, handler.client)


@pytest.mark.parametrize("queue", QUEUES)
async def test_reading_goes_on_when_the_queue_has_moved(queue: Queue):
    """Not before; the other side is read all the while."""
    handler = Handler()
    queue(handler, handler.client, bytes(MORE))
    waiting = asyncio.ensure_future(handler.read_on(handler.client))
    await asyncio.ensure_future(handler.read_on(handler.upstream))
    assert not waiting.done()

    for held in pressure._queues(handler):
        held.clear()

    await asyncio.wait_for(waiting, 5)


async def test_who_waits_can_be_cut_off():
    """A connection's task is cancelled where it waits."""
    handler = Handler()
    paused(handler, handler.client, bytes(MORE))
    waiting = asyncio.ensure_future(handler.read_on(handler.client))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_fault_of_ours_does_not_end_a_connection(caplog):
    """It is told, and the connection is read as mitmproxy by itself would."""
    handler = Handler()
    handler.layer = None

    await handler.read_on(handler.client)

    assert "queues of a connection" in caplog.text


def test_mitmproxy_goes_by_it(monkeypatch):
    """However often it is put in place."""
    monkeypatch.setattr(
        ConnectionHandler, "drain_writers", ConnectionHandler.drain_writers
    )
    pressure.apply()
    pressure.apply()
    assert ConnectionHandler.drain_writers is pressure.drain_writers
