"""
One HTTP/1.1 request as it is on the wire, with what an answer does to its body.

By the way of token requests: directly or by the upstream proxy, never by
`*_PROXY`; certificates are always verified, nothing is followed.
"""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from everbearer import __version__
from everbearer.errors import TokenEndpointUnavailable
from everbearer.policy.hosts import HTTPS_PORT, join_authority
from everbearer.renewal.endpoint import ANSWER_LIMIT, TOTAL_TIMEOUT
from everbearer.renewal.network_errors import timed_out, unavailable
from everbearer.renewal.trust import Trust
from everbearer.secret import Secret

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from everbearer.settings.model import NetworkSettings

_REST: Final = 3.0
"""Seconds that the rest of an answer is waited for, once its head is there."""

_PIECE: Final = 64 * 1024
_PAUSE: Final = 0.02
"""Seconds between two pieces of a body, in which an answer may come."""


@dataclass(frozen=True, slots=True)
class Body:
    """`sent` bytes of a body that was announced with `announced` of them."""

    announced: int
    sent: int


@dataclass(frozen=True, slots=True)
class Heard:
    """
    An answer; names of fields are lower case.

    `sent` is how many bytes of the body had left when its head arrived. The body
    is not shown: it may hold anything.
    """

    status: int
    fields: Mapping[str, str]
    body: bytes = field(repr=False)
    sent: int


class Wire:
    """Asks servers; blocks while it is made. Raises ConfigError for `ca_file`."""

    def __init__(
        self, network: NetworkSettings, *, patience: float = TOTAL_TIMEOUT
    ) -> None:
        self._network = network
        self._context = Trust(network.ca_file).context()
        self._patience = patience

    async def ask(
        self,
        method: str,
        url: str,
        fields: Mapping[str, Secret | str],
        body: bytes | Body = b"",
    ) -> Heard | None:
        """
        Send a request to an https URL and return the answer, None where none came.

        Of a `Body` so much is sent, slowly, until an answer is there; the
        connection is then cut. Raises TokenEndpointUnavailable, which holds nothing
        of the request, for a server that cannot be reached.
        """
        host = urlsplit(url).hostname or ""
        try:
            async with asyncio.timeout(self._patience):
                reader, writer = await self._connect(url)
        except TimeoutError:
            raise timed_out(host) from None
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise unavailable(host, error) from None
        try:
            async with asyncio.timeout(self._patience):
                writer.write(_head(method, url, fields, body))
                return await self._exchange(reader, writer, body)
        except (OSError, EOFError, HTTPException, asyncio.LimitOverrunError):
            return None
        finally:
            writer.transport.abort()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: bytes | Body,
    ) -> Heard:
        heads = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        try:
            if isinstance(body, Body):
                sent = await _drip(writer, body, heads)
            else:
                writer.write(body)
                sent = len(body)
            head = await heads
        finally:
            heads.cancel()
        return _parsed(head + await _rest(reader, head), sent)

    async def _connect(
        self, url: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise TokenEndpointUnavailable("only https is asked")
        host, port = parts.hostname, parts.port or HTTPS_PORT
        dialled = self._network.dialled(host, port)
        if dialled is None and self._network.upstream_proxy:
            return await self._tunnel(host, port)
        return await asyncio.open_connection(
            dialled.host if dialled else host,
            dialled.port if dialled else port,
            ssl=self._context,
            server_hostname=host,
        )

    async def _tunnel(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        proxy = urlsplit(self._network.upstream_proxy)
        reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port)
        there = join_authority(host, port)
        try:
            connect = f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n"
            writer.write(connect.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split(b" ", 2)[1:2] != [b"200"]:
                raise ConnectionError("the upstream proxy would not connect")  # noqa: TRY301 - one way out for all
            await writer.start_tls(self._context, server_hostname=host)
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer


def _head(
    method: str, url: str, fields: Mapping[str, Secret | str], body: bytes | Body
) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    length = body.announced if isinstance(body, Body) else len(body)
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"User-Agent: everbearer/{__version__}",
        "Connection: close",
    ]
    if length:
        lines.append(f"Content-Length: {length}")
    lines += (
        f"{name}: {value.reveal() if isinstance(value, Secret) else value}"
        for name, value in fields.items()
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _drip(
    writer: asyncio.StreamWriter, body: Body, answer: asyncio.Future[bytes]
) -> int:
    """Send until something is answered, and return how much had left by then."""
    sent = 0
    while sent < body.sent and not answer.done():
        piece = min(_PIECE, body.sent - sent)
        with suppress(ConnectionError):  # what was answered before may be there
            writer.write(b"\0" * piece)
            await writer.drain()
        sent += piece
        await asyncio.wait({answer}, timeout=_PAUSE)
    return sent


async def _rest(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Return what follows the head: all that its framing, or our patience, allows."""
    lower = head.lower()
    body = b""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(_REST):
            while len(body) < ANSWER_LIMIT and not _complete(lower, body):
                more = await reader.read(_PIECE)
                if not more:
                    break
                body += more
    return body


def _complete(head: bytes, body: bytes) -> bool:
    if b"\r\ntransfer-encoding:" in head:
        return body.endswith(b"0\r\n\r\n")
    _, found, rest = head.partition(b"\r\ncontent-length:")
    length = rest.partition(b"\r\n")[0].strip()
    return bool(found) and length.isdigit() and len(body) >= int(length)


class _Bytes(io.BytesIO):
    """What `http.client` takes for a socket: it only reads a file of it."""

    def makefile(self, _: str) -> io.BytesIO:
        return self


def _parsed(answer: bytes, sent: int) -> Heard:
    response = HTTPResponse(cast("socket.socket", _Bytes(answer)))
    response.begin()
    body = b""
    with suppress(HTTPException):  # an answer that was cut is told by its head
        body = response.read()
    fields: dict[str, str] = {}
    for name, value in response.getheaders():
        known = fields.get(name.lower())
        fields[name.lower()] = f"{known}, {value}" if known else value
    return Heard(response.status, fields, body, sent)
