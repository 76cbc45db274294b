"""mitmproxy serves on sockets that are bound before it starts."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from everbearer.proxy.accepting import Doors, by_tcp_alone
from everbearer.proxy.addresses import Held
from everbearer.settings.model import Address, Listener

pytestmark = pytest.mark.real

NO_LINGER = struct.pack("ii", 1, 0)
MODES = ["regular@", "upstream:http://127.0.0.1:9@", "reverse:https://api.box.com@"]


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, which mitmproxy tells nobody of."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("mode", MODES)
async def test_a_bound_socket_is_served_on(mode: str):
    """Nobody can take it meanwhile, mitmproxy neither; who has connected is served."""
    bound = socket.create_server(("127.0.0.1", 0))
    address = bound.getsockname()
    early = socket.create_connection(address)
    Doors({address: bound})
    server = Proxyserver()
    with taddons.context(server) as context:
        # Nothing is dialled, nor waited for at the end.
        context.options.update(connection_strategy="lazy")
        modes = [f"{mode}{address[0]}:{address[1]}"]
        by_tcp_alone(modes)
        context.configure(server, mode=modes)
        assert await server.setup_servers()
        await until(lambda: server.connections)
        [instance] = server.servers
        assert instance.listen_addrs == (address,)  # and not by UDP
        await instance.stop()
        early.close()
        await until(lambda: not server.connections)


async def test_who_listens_anew_binds_anew():
    """A listener that was stopped and is started again, as mitmweb's can be."""
    bound = socket.create_server(("127.0.0.1", 0))
    address = bound.getsockname()
    Doors({address: bound})
    for _ in range(2):
        server = await asyncio.start_server(lambda *_: None, *address)
        assert [each.getsockname() for each in server.sockets] == [address]
        server.close()
        await asyncio.sleep(0)


async def test_what_is_written_is_sent_at_once():
    """A small answer in two writes waits for no acknowledgement (Nagle's algorithm)."""
    with Held([Listener(address=Address("127.0.0.1", 0))]) as held:
        [bound] = held.sockets.values()
        accepted = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            lambda _, writer: accepted.set_result(writer), sock=bound
        )
        _, asking = await asyncio.open_connection(*bound.getsockname())
        answering = await accepted
        connection = answering.get_extra_info("socket")
        at_once = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for writer in (asking, answering):
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
    assert at_once


async def test_clients_are_let_in_one_at_a_time():
    """Of those who come together a process takes one, and looks what else there is."""
    with Held([Listener(address=Address("127.0.0.1", 0))]) as held:
        [(address, bound)] = held.sockets.items()
        address = bound.getsockname()
        doors = Doors({address: bound})
        turns: list[int] = []
        turn = 0

        def come(_: object, writer: asyncio.StreamWriter) -> None:
            turns.append(turn)
            writer.close()

        waiting = [socket.create_connection(address) for _ in range(5)]
        server = await asyncio.start_server(come, *address)
        while len(turns) < 5 or doors.anybody:
            turn += 1
            await asyncio.sleep(0)
        server.close()
        for each in waiting:
            each.close()
    assert len(set(turns)) == 5


async def test_who_waits_is_let_in_before_the_doors_close():
    """Who has connected already is served; one that has left again does no harm."""
    with Held([Listener(address=Address("127.0.0.1", 0))]) as held:
        [bound] = held.sockets.values()
        address = bound.getsockname()
        doors = Doors({address: bound})
        server = await asyncio.start_server(lambda _, writer: writer.close(), *address)
        waiting = [socket.create_connection(address) for _ in range(3)]
        # Reset at once, as RFC 9293 §3.10.4 has it for what is not read.
        waiting[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        waiting.pop(1).close()

        # As when all are told, and then their parent tells them.
        doors.shut()
        doors.close(let_in=True)

        assert doors.anybody  # from the first moment
        await until(lambda: not doors.anybody)
        for each in waiting:
            each.settimeout(10)
            assert await asyncio.to_thread(each.recv, 1) == b""
            each.close()
        assert [each.getsockname() for each in server.sockets] == [address]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_who_left_before_it_listened_lets_nobody_in():
    """Told to leave while mitmproxy starts: who waits is for others."""
    with Held([Listener(address=Address("127.0.0.1", 0))]) as held:
        [bound] = held.sockets.values()
        address = bound.getsockname()
        other = bound.dup()
        waiting = socket.create_connection(address)
        doors = Doors({address: bound})
        doors.shut()
        server = await asyncio.start_server(lambda *_: None, *address)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not doors.anybody
        accepted, _ = other.accept()
        server.close()
        for each in (waiting, accepted, other):
            each.close()
