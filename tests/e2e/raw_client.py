"""A client that sends what it is told, however wrong, and reads the answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

PATIENCE = 30.0
"""Seconds without an answer after which a test fails."""

CLOSED = "closed"
"""How a connection that ends without an answer is called."""


@dataclass(frozen=True)
class Reply:
    """One answer; status 0 where the connection ended without one."""

    status: int
    fields: dict[str, str]
    body: bytes = b""

    @property
    def code(self) -> str:
        """Who answered: everbearer's own code, or a word for another program."""
        if not self.status:
            return CLOSED
        if self.fields.get("content-type") == "application/problem+json":
            return json.loads(self.body)["code"]
        server = self.fields.get("server", "")
        return "mitmproxy" if server.startswith("mitmproxy") else server or "box"

    def __str__(self) -> str:
        return f"{self.status} {self.code}" if self.status else CLOSED


NOTHING = Reply(0, {})


def ask(
    port: int,
    *requests: bytes,
    connect: bytes = b"",
    sni: str | None = None,
    alpn: tuple[str, ...] = (),
) -> Reply:
    """
    Send *requests* one after another and return the last answer.

    *connect* is the head of a CONNECT that comes first, *sni* starts TLS ("" is
    TLS without SNI). Raises TimeoutError where an answer does not come.
    """
    with connected(port, connect=connect, sni=sni, alpn=alpn) as channel:
        if isinstance(channel, Reply):
            return channel
        reply = NOTHING
        for request in requests:
            try:
                channel.sendall(request)
            except OSError:
                return NOTHING
            reply = read(channel, request)
            if not reply.status:
                break
        return reply


@contextlib.contextmanager
def connected(
    port: int,
    *,
    connect: bytes = b"",
    sni: str | None = None,
    alpn: tuple[str, ...] = (),
) -> Iterator[socket.socket | Reply]:
    """Give a connection that is ready, or the answer that came in its place."""
    with contextlib.ExitStack() as stack:
        channel = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        )
        if connect:
            channel.sendall(connect)
            reply = read(channel, connect)
            if reply.status != 200:
                yield reply
                return
        if sni is not None:
            try:
                channel = _context(alpn).wrap_socket(
                    channel, server_hostname=sni.encode() or None
                )
            except TimeoutError:
                raise
            except OSError:
                yield NOTHING
                return
            stack.enter_context(channel)
        yield channel


def read(channel: socket.socket, request: bytes = b"GET ") -> Reply:
    """Read the answer to *request*."""
    answer = http.client.HTTPResponse(channel, method=request.split(b" ")[0].decode())
    try:
        answer.begin()
        if request.startswith(b"CONNECT ") and answer.status == 200:
            return Reply(200, {})
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, fields, answer.read())
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        return NOTHING
    finally:
        answer.close()


def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    # A hostile client does not care who answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
