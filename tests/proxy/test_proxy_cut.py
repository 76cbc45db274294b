"""What a flow's cut ends: nothing of it leaves from then on."""

from __future__ import annotations

import asyncio
import socket

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.test import taddons
from mitmproxy.test.tflow import tserver_conn

from everbearer.proxy import internals
from proxy.flows import asked

pytestmark = pytest.mark.real

UNSENT = 64 * 1024 * 1024
"""Bytes that no pair of socket buffers takes."""


class Handler:
    """What mitmproxy knows of one client's connections."""

    def __init__(self, transports: dict) -> None:
        self.transports = transports


async def for_ever() -> None:
    """Stand for a task that connects, or reads."""
    await asyncio.Event().wait()


async def test_every_connection_of_the_client_ends() -> None:
    """One being made, one in use and the client's own: their tasks are cancelled."""
    flow = asked()
    flow.live = True
    tasks = [asyncio.ensure_future(for_ever()) for _ in range(3)]
    connections = [flow.client_conn, flow.server_conn, tserver_conn()]
    ios = [ConnectionIO(handler=task) for task in tasks]
    server = Proxyserver()
    with taddons.context(server):
        handler = Handler(dict(zip(connections, ios, strict=True)))
        server.connections[flow.client_conn.id] = handler
        internals.cut(flow)
    await asyncio.wait(tasks, timeout=10)
    assert all(task.cancelled() for task in tasks)
    assert flow.error is not None


async def test_what_was_not_sent_never_is() -> None:
    """A server that did not read is reset: what was on its way to it is forgotten."""
    flow = asked()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        _, writer = await asyncio.open_connection(*address)
        there, _ = listener.accept()
    server = Proxyserver()
    with there, taddons.context(server):
        writer.write(b"x" * UNSENT)
        handler = Handler({tserver_conn(): ConnectionIO(writer=writer)})
        server.connections[flow.client_conn.id] = handler
        internals.cut(flow)
        await writer.wait_closed()
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(read_all, there)


def read_all(connection: socket.socket) -> None:
    """Read until the end, or until it is reset."""
    connection.settimeout(20)
    while connection.recv(1024 * 1024):
        pass
