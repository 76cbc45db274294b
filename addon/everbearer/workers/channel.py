"""What a parent and its worker say to each other: single bytes over a socket pair."""

from __future__ import annotations

import enum
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Order(enum.Enum):
    """What a parent says."""

    LEAVE = b"l"
    """Let in who has connected, then nobody; exit when what is under way has ended."""
    STOP = b"s"
    """Exit as soon as what came from a token endpoint is saved."""
    RELOAD = b"r"
    """Read the configuration anew."""


_READY: Final = b"r"
"""What a worker says: it serves."""

_ENOUGH: Final = 64
"""Bytes; more than are ever under way."""


def order(channel: socket.socket, what: Order) -> None:
    """Tell a worker, if it still is there."""
    with suppress(OSError):
        channel.send(what.value, socket.MSG_DONTWAIT)


def heard(channel: socket.socket) -> bytes | None:
    """Return what has come, b"" if nothing has; None where the other end is gone."""
    try:
        return channel.recv(_ENOUGH, socket.MSG_DONTWAIT) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Post:
    """
    What a worker has from its parent.

    `number` counts from 1; `first` is the very first, which tells what is told once.
    """

    number: int
    first: bool
    channel: socket.socket

    def ready(self) -> None:
        """Tell the parent that this worker serves."""
        with suppress(OSError):
            self.channel.send(_READY)

    def listen(
        self, loop: asyncio.AbstractEventLoop, obey: Callable[[Order], None]
    ) -> None:
        """
        Call *obey* with every order from now on.

        Without its parent a worker has to leave: nobody would replace it, and
        nobody could stop it by the name it was started with.
        """

        def receive() -> None:
            received = heard(self.channel)
            if received is None:
                loop.remove_reader(self.channel)
                obey(Order.LEAVE)
                return
            for at in range(len(received)):
                obey(Order(received[at : at + 1]))

        loop.add_reader(self.channel, receive)
