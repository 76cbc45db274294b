"""
What flows through, in larger pieces.

mitmproxy reads 64 KiB at a time, and every piece goes through some ten layers; TLS
hands on what it has encrypted in pieces of that size again, and asks once more for
what it knows not to be there. Here as much is read at once as asyncio takes from a
socket, and what is there only: nothing waits for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.server import ConnectionHandler
from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from mitmproxy.proxy.layer import CommandGenerator

THEIRS: Final = 65535
"""Bytes that `ConnectionHandler.handle_connection` asks a reader for."""

OURS: Final = 256 * 1024
"""Bytes that asyncio takes from a socket at once (`selector_events.max_size`)."""

_RECORD: Final = 16 * 1024
"""Bytes of plaintext in a TLS record, at most (RFC 8446 §5.1)."""

_AROUND_RECORD: Final = 64
"""Bytes, at least, that a record is longer than its plaintext."""

_MORE: Final = 512
"""Bytes for what TLS may have to say beside."""

_handle_connection: Final = ConnectionHandler.handle_connection
_send_data: Final = TLSLayer.send_data
_receive_data: Final = TLSLayer.receive_data


class LargeReader(asyncio.StreamReader):
    """Gives a connection handler up to 256 KiB where it asks for 64."""

    def read(self, n: int = -1) -> Coroutine[Any, Any, bytes]:
        """Return what is there, once there is something; b"" at the end."""
        return super().read(OURS if n == THEIRS else n)


def handle_connection(
    self: ConnectionHandler, connection: Connection
) -> Coroutine[Any, Any, None]:
    """Handle a connection as mitmproxy does, with a reader that gives more."""
    reader = self.transports[connection].reader
    if type(reader) is asyncio.StreamReader:
        reader.__class__ = LargeReader
    return _handle_connection(self, connection)


def send_data(self: TLSLayer, data: bytes) -> CommandGenerator[None]:
    """Encrypt *data*, and send what comes of it as one."""
    if self.is_dtls:
        yield from _send_data(self, data)
        return
    # Raised where the peer has ended, and nobody wants it.
    with contextlib.suppress(SSL.ZeroReturnError, SSL.SysCallError):
        self.tls.sendall(data)
    size = len(data) + (len(data) // _RECORD + 1) * _AROUND_RECORD + _MORE
    while True:
        try:
            sent = self.tls.bio_read(size)
        except SSL.WantReadError:
            return
        yield commands.SendData(self.conn, sent)
        if len(sent) < size:
            return  # a buffer in memory gives all it has


def receive_data(self: TLSLayer, data: bytes) -> CommandGenerator[None]:
    """Decrypt *data*, and hand on what comes of it as one."""
    if self.is_dtls:
        yield from _receive_data(self, data)
        return
    if data:
        self.tls.bio_write(data)
    pieces = []
    close = False
    while True:
        try:
            pieces.append(self.tls.recv(_RECORD))
        except SSL.WantReadError:
            break
        except SSL.ZeroReturnError:
            close = True
            break
        except SSL.Error as error:
            yield commands.Log(f"TLS Error: {error}", logging.WARNING)
            break
    # After `recv()`, which may have advanced the state machine.
    yield from self.tls_interact()
    if pieces:
        plaintext = b"".join(pieces)
        yield from self.event_to_child(events.DataReceived(self.conn, plaintext))
    if close:
        self.conn.state &= ~ConnectionState.CAN_READ
        if self.debug:
            line = f"{self.debug}[tls] close_notify {self.conn}"
            yield commands.Log(line, logging.DEBUG)
        yield from self.event_to_child(events.ConnectionClosed(self.conn))


def replace() -> None:
    """Put these in mitmproxy's place, for this process."""
    ConnectionHandler.handle_connection = handle_connection  # type: ignore[method-assign]
    TLSLayer.send_data = send_data  # type: ignore[method-assign]
    TLSLayer.receive_data = receive_data  # type: ignore[method-assign]
