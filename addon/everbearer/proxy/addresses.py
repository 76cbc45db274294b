"""
The addresses of listeners: held from the moment when they are bound.

Each is bound once, before anything else is started, and the proxy serves on that
very socket: what was free when we looked is not somebody else's when it starts.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from everbearer.errors import Problem, reason_of
from everbearer.settings.model import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from everbearer.settings.model import Listener, Settings

type Sockets = Mapping[tuple[str, int], socket.socket]
"""Sockets that listen, by host and port."""


class Held:
    """
    The addresses of listeners, nobody else's from now on.

    Port 0 is the one that the kernel gave when it was bound. `problems` are the
    reasons why others cannot be had.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self.sockets: dict[tuple[str, int], socket.socket] = {}
        self.problems: dict[Listener, Problem] = {}
        self._free_port = 0
        # A free port is taken last: it may be any that no listener of ours wants.
        for listener in sorted(listeners, key=lambda each: each.address.port == 0):
            host, port = listener.address.host, listener.address.port
            try:
                bound = bound_to(host, port)
            except OSError as error:
                self.problems[listener] = _problem(listener, error)
                continue
            if port == 0:
                port = self._free_port = bound.getsockname()[1]
            self.sockets[host, port] = bound

    def filled_in(self, settings: Settings) -> Settings:
        """Return the settings, at their reload too, with the port in place of 0."""
        listeners = (
            each
            if each.address.port
            else replace(each, address=Address(each.address.host, self._free_port))
            for each in settings.listeners
        )
        return replace(settings, listeners=tuple(listeners))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets.values():
            each.close()


def taken(listeners: Iterable[Listener]) -> dict[Listener, Problem]:
    """Return the listeners whose address cannot be had, each with the reason."""
    with Held(listeners) as held:  # two listeners of ours may not share one either
        return held.problems


_WAITING: Final = 1024
"""Clients that may wait to be let in; the system may allow fewer."""


def bound_to(host: str, port: int) -> socket.socket:
    """
    Bind as asyncio does, and listen: on some systems two may bind. Raises OSError.

    Who connects before the proxy serves waits for it. The protocol is named, since
    asyncio sends what is written at once only where it reads that it is TCP.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(_WAITING)
    except OSError:
        bound.close()
        raise
    return bound


def _problem(listener: Listener, error: OSError) -> Problem:
    reason = reason_of(error)
    if error.errno == errno.EADDRINUSE:
        reason = "something else listens there"
    fix = "stop what listens there, or change it in [[listeners]]"
    if not listener.reverse:
        free = "everbearer serve --listen 127.0.0.1:0"
        fix = f"stop what listens there, or take a free port: {free}"
    return Problem("", f"cannot listen on {listener.address}: {reason}", fix)
