"""
How clients are let in: mitmproxy serves on sockets that are bound before it starts.

Several processes may accept from the same socket. Each takes one client at a time,
so that those who come together are shared out.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy.mode_specs import ProxyMode

from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from everbearer.proxy.addresses import Sockets

    type Factory = Callable[[], asyncio.BaseProtocol]


class Doors:
    """
    Where clients come in, and who has and is not gone yet.

    mitmproxy listens by `asyncio.start_server(…, host, port)`, and so by the running
    loop's `create_server`: for the addresses of *sockets* it gets these. Each is
    used once: who stops listening there and begins again binds anew. Were they not
    used, mitmproxy would find its addresses taken.
    """

    def __init__(self, sockets: Sockets) -> None:
        self._doors: list[_Door] = []
        self._inside: set[object] = set()
        self._shut = False
        loop, left = asyncio.get_running_loop(), dict(sockets)
        original = loop.create_server

        async def create_server(
            factory: Any, host: Any = None, port: Any = None, **rest: Any
        ) -> asyncio.Server | _Door:
            bound = left.pop((host, port), None)
            if bound is None:
                return await original(factory, host, port, **rest)
            counted, waiting = _counted(factory, self._inside), bound.dup()
            # One at each look: asyncio would take as many as may wait.
            server = await original(
                counted, sock=_Listening.of(bound), **{**rest, "backlog": 1}
            )
            door = _Door(server, waiting, counted, self._inside)
            self._doors.append(door)
            if self._shut:  # it was told to leave before it listened
                door.close()
            return door

        vars(loop)["create_server"] = create_server

    @property
    def anybody(self) -> bool:
        """Whether a client is there, or has not been sent all of its answer."""
        return bool(self._inside)

    def shut(self) -> None:
        """Let nobody in from now on; who has connected may be let in by others."""
        self._shut = True
        for door in self._doors:
            door.shut()

    def close(self, *, let_in: bool) -> None:
        """Let nobody in from now on but, with *let_in*, who has connected already."""
        self._shut = True
        for door in self._doors:
            if let_in:
                door.let_in_who_waits()
            door.close()


class _Listening(socket.socket):
    """A socket that listens already: `asyncio` would change how many may wait."""

    @classmethod
    def of(cls, bound: socket.socket) -> _Listening:
        return cls(bound.family, bound.type, bound.proto, bound.detach())

    def listen(self, *_: int) -> None:
        """Leave it as it is."""


class _Door:
    """
    Of an `asyncio.Server` what mitmproxy uses: `sockets`, for names, and `close()`.

    It has its name after it was closed, too: who asks for an address of our own is
    known by it, and where we close other workers may still be listening.
    """

    def __init__(
        self,
        server: asyncio.Server,
        waiting: socket.socket,
        factory: Factory,
        inside: set[object],
    ) -> None:
        self._server = server
        self._waiting = waiting  # its own: asyncio's is gone when it is shut
        self._name = waiting.getsockname()
        self._factory = factory
        self._inside = inside
        self._tasks = Tasks()

    @property
    def sockets(self) -> tuple[_Door, ...]:
        return (self,)

    def getsockname(self) -> Any:
        return self._name

    def close(self) -> None:
        self.shut()
        self._waiting.close()

    def shut(self) -> None:
        self._server.close()

    def let_in_who_waits(self) -> None:
        """Accept what the system has connected: it would be reset with the socket."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):  # nobody waits any more, or it is closed
            self._waiting.settimeout(0)
            while True:
                accepted, _ = self._waiting.accept()
                self._inside.add(accepted)
                self._tasks.spawn(self._serve(loop, accepted), name="let a client in")

    async def _serve(
        self, loop: asyncio.AbstractEventLoop, accepted: socket.socket
    ) -> None:
        accepted.settimeout(0)
        try:
            accepted.getpeername()
        except OSError:  # it has left already
            accepted.close()
        else:
            await loop.connect_accepted_socket(self._factory, accepted)
        finally:
            self._inside.discard(accepted)


def _counted(factory: Factory, inside: set[object]) -> Factory:
    """Make protocols that are *inside* until their connection is gone, all sent."""

    def make() -> asyncio.BaseProtocol:
        protocol = factory()
        made, lost = protocol.connection_made, protocol.connection_lost

        def connection_made(transport: asyncio.BaseTransport) -> None:
            inside.add(protocol)
            made(transport)

        def connection_lost(error: Exception | None) -> None:
            inside.discard(protocol)
            lost(error)

        vars(protocol).update(
            connection_made=connection_made, connection_lost=connection_lost
        )
        return protocol

    return make


def by_tcp_alone(modes: Iterable[str]) -> None:
    """
    Have mitmproxy listen by TCP only in these modes.

    It would take the same port of UDP for a reverse listener, for the HTTP/3 that
    is off, and relay what comes there. Modes are made once for each text.
    """
    for each in modes:
        vars(ProxyMode.parse(each))["transport_protocol"] = "tcp"
