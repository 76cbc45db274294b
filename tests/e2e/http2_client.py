"""An HTTP/2 client that sends what it is told, however wrong."""

from __future__ import annotations

import socket

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from raw_client import NOTHING, Reply

_CONFIGURATION = H2Configuration(
    header_encoding="latin-1",
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)

type Fields = list[tuple[str, str]]


def request(
    path: str = "/2.0/users/me",
    authority: str | None = "api.box.com",
    *more: tuple[str, str],
    method: str = "GET",
    scheme: str = "https",
) -> Fields:
    """Return the fields of a request."""
    named = [] if authority is None else [(":authority", authority)]
    head = [(":method", method), (":scheme", scheme), *named, (":path", path)]
    return [*head, *more]


class Http2:
    """One connection, on a channel that is ready."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._connection = H2Connection(_CONFIGURATION)
        self._connection.initiate_connection()
        self._flush()

    def begin(self, fields: Fields) -> None:
        """Send one request, and give leave for no more of its answer than 64 KiB."""
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, fields, end_stream=True)
        self._flush()

    def ask(self, fields: Fields, body: bytes = b"") -> Reply:
        """Send one request and return its answer."""
        stream = self._connection.get_next_available_stream_id()
        try:
            self._connection.send_headers(stream, fields, end_stream=not body)
            if body:
                self._connection.send_data(stream, body, end_stream=True)
            self._flush()
            return self._answer(stream)
        except TimeoutError:
            raise
        except (OSError, ProtocolError):
            return NOTHING

    def _answer(self, stream: int) -> Reply:
        fields: dict[str, str] = {}
        body = b""
        while data := self._channel.recv(65536):
            for event in self._connection.receive_data(data):
                if isinstance(event, ConnectionTerminated):
                    return NOTHING
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, ResponseReceived):
                    fields = dict(event.headers)
                elif isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamReset):
                    return NOTHING
                elif isinstance(event, StreamEnded):
                    return Reply(int(fields[":status"]), fields, body)
            self._flush()
        return NOTHING

    def _flush(self) -> None:
        self._channel.sendall(self._connection.data_to_send())
