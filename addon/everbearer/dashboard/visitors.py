"""
Who may stay connected: so many at once, and nobody keeps the owner out.

Every account of this machine and every web page of its browsers may connect, and
who comes is not known before it has asked. So the newest is never turned away for
those who came before and have proven nothing: of them the oldest goes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, override

from tornado.httpserver import HTTPServer

if TYPE_CHECKING:
    import socket

    from tornado.httputil import HTTPConnection, HTTPMessageDelegate
    from tornado.iostream import IOStream

CONNECTIONS: Final = 128
"""At once, whoever opens them: each takes a descriptor, which requests need too."""

AT_ONCE: Final = 16
"""
Taken in one turn of the loop: far less than `CONNECTIONS`, so that in a flood what
was sent along is read before those who come later push it out.
"""

_FIRST: Final = 5.0
"""Seconds for the first head; a browser that connects ahead connects again."""

_IDLE: Final = 60.0
"""Seconds for which a connection is kept that nobody uses, and for a body."""


class Visitors[T]:
    """
    Those who are connected; at most *most*.

    Each waits for a request to come, has one answered, or has one answered that
    shows a session or a link. Of the last nobody is ever sent away. Of the others
    the oldest goes, of those that are more: neither crowd takes the other's room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[T, None] = {}
        self._asking: dict[T, None] = {}
        self._let_in: dict[T, None] = {}

    def come(self, one: T) -> T | None:
        """Have *one* wait; return who has to go for it, which may be itself."""
        gone = None
        if self._count() >= self._most:
            waiting, asking = self._waiting, self._asking
            crowd = asking if len(asking) > len(waiting) else waiting
            gone = next(iter(crowd), one)
            self.leave(gone)
        if gone != one:
            self._waiting[one] = None
        return gone

    def wait(self, one: T) -> None:
        """Have it wait for its next request; who has left stays so."""
        self._move(one, self._waiting)

    def ask(self, one: T) -> None:
        """Have its request answered."""
        self._move(one, self._asking)

    def let_in(self, one: T) -> None:
        """Have its request answered, which shows that the owner sent it."""
        self._move(one, self._let_in)

    def leave(self, one: T) -> None:
        """Forget it, if it is known."""
        for crowd in (self._waiting, self._asking, self._let_in):
            crowd.pop(one, None)

    def _count(self) -> int:
        return len(self._waiting) + len(self._asking) + len(self._let_in)

    def _move(self, one: T, crowd: dict[T, None]) -> None:
        before = self._count()
        self.leave(one)
        if self._count() < before:
            crowd[one] = None


class Bounded(HTTPServer):
    """A server whose *visitors* tell which connection is closed for which."""

    @override
    def initialize(self, *args: Any, **settings: Any) -> None:
        self._visitors: Visitors[IOStream] = settings.pop("visitors")
        settings |= {"idle_connection_timeout": _FIRST, "body_timeout": _IDLE}
        super().initialize(*args, **settings)
        self._later = copy.copy(self.conn_params)
        self._later.header_timeout = _IDLE

    def accept(self, listening: socket.socket) -> None:
        """Take who has connected; some of them, where there are many."""
        for _ in range(AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            self._handle_connection(connection, address)

    @override
    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        gone = self._visitors.come(stream)
        if gone is not None:
            gone.close()
        if gone is not stream:
            super().handle_stream(stream, address)

    @override
    def start_request(
        self, server_conn: Any, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        self._visitors.wait(server_conn.stream)
        # The one that begins has its own already: this is for those that follow.
        server_conn.params = self._later
        return super().start_request(server_conn, request_conn)

    @override
    def on_close(self, server_conn: Any) -> None:
        self._visitors.leave(server_conn.stream)
        super().on_close(server_conn)
