"""What a proxy that is there already shows to tools: they are led through it."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from everbearer.doctor.aside import aside
from everbearer.doctor.tools import Target
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PATIENCE: Final = 10.0
"""Seconds for a tunnel: the proxy reaches the server first."""

_LEAVE: Final = 2.0
"""Seconds in which the proxy closes a tunnel after the tool has."""

_PIECE: Final = 64 * 1024


@asynccontextmanager
async def through(proxy: str, host: str) -> AsyncIterator[Target]:
    """
    Give a port on loopback behind which is the tunnel of *proxy* to *host*.

    Raises OSError where it makes none.
    """
    head = _connect(proxy, host)
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        try:
            with suppress(OSError):
                await _relay(reader, writer, proxy, head)
        finally:
            relays.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        _, probe = await _tunnel(proxy, head)
        probe.transport.abort()
        shown = await aside(
            lambda: ssl.get_server_certificate(("127.0.0.1", port), timeout=_PATIENCE)
        )
        with tempfile.TemporaryDirectory(prefix="everbearer-doctor-") as name:
            leaf = Path(name) / "leaf.pem"
            leaf.write_bytes(shown.encode())
            yield Target(host, port, leaf, Path(name))
    finally:
        server.close()
        for task in tuple(relays):
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


def _connect(proxy: str, host: str) -> Secret:
    """Return the head that asks for the tunnel; it has the proxy's password."""
    parts = urlsplit(proxy)
    lines = [f"CONNECT {host}:443 HTTP/1.1", f"Host: {host}:443"]
    if parts.username:
        who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        basic = b64encode(who.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {basic}")
    return Secret("\r\n".join([*lines, "", ""]))


async def _tunnel(
    proxy: str, head: Secret
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(proxy)
    async with asyncio.timeout(_PATIENCE):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        answer, is_there = b"", False
        try:
            writer.write(head.reveal().encode())
            with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                answer = await reader.readuntil(b"\r\n\r\n")
            is_there = answer[9:12] == b"200"
        finally:
            if not is_there:
                writer.transport.abort()
    if not is_there:
        status = answer[9:12].decode("ascii", "replace") or "nothing"
        reason = f"a tunnel was asked for, and the answer is {status}"
        raise ConnectionRefusedError(0, reason)
    return reader, writer


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    proxy: str,
    head: Secret,
) -> None:
    from_proxy, to_proxy = await _tunnel(proxy, head)
    there = asyncio.ensure_future(_copy(reader, to_proxy))
    back = asyncio.ensure_future(_copy(from_proxy, writer))
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        if not back.done():
            # A tool that has seen enough goes. What it said last ends a handshake:
            # cut off, it would look to the proxy as if the tool did not trust it.
            to_proxy.write_eof()
            await asyncio.wait({back}, timeout=_LEAVE)
    finally:
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        to_proxy.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
