"""
A resource server that knows which tokens it has issued, and for how long.

    python -m benchmark.origin --pem FILE [--life SECONDS]

It stands in where there is no nginx, and where nginx cannot: for tokens that end,
long polls and large bodies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import secrets
import signal
import ssl
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from benchmark.asked import BODY

BLOCK = bytes(256 * 1024)
BACKLOG = 4096

_HEAD = re.compile(rb"([A-Z]+) ([^ ?]+)\??([^ ]*) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_AUTHORIZATION = re.compile(rb"\r\nauthorization: *Bearer ([^\r]+)", re.IGNORECASE)
_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 411: "Length Required"}


@dataclass
class Origin:
    """Its tokens with their ends, who waits for an event, and what it counted."""

    life: int
    tokens: dict[bytes, float] = field(default_factory=dict)
    polls: list[Line] = field(default_factory=list)
    issued: int = 0
    refused: int = 0

    def entitled(self, head: bytes) -> bool:
        """Tell whether a request has a token that is good now."""
        found = _AUTHORIZATION.search(head)
        return found is not None and self.tokens.get(found[1], 0.0) > time.monotonic()

    def issue(self) -> dict[str, object]:
        """Return a token response."""
        token = secrets.token_urlsafe(24)
        self.tokens[token.encode()] = time.monotonic() + self.life
        self.issued += 1
        return {
            "access_token": token,
            "expires_in": self.life,
            "token_type": "bearer",
            "restricted_to": [],
        }

    def control(self, path: str) -> dict[str, object] | None:
        """Do what the benchmark itself asks for; None for what it cannot ask."""
        if path == "/bench/revoke":
            self.tokens.clear()
        elif path == "/bench/release":
            polls, self.polls = self.polls, []
            for poll in polls:
                poll.answer(200, BODY)
        elif path != "/bench/counts":
            return None
        counts = {"issued": self.issued, "refused": self.refused}
        return {**counts, "polls": len(self.polls)}


class Line(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._read = bytearray()
        self._left = 0
        """Bytes of a body that are still to come."""
        self._size = 0
        self._todo: tuple[bytes, str, dict[str, list[str]], bool] | None = None
        self._writing = asyncio.Event()
        self._writing.set()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._writing.set()
        if self in self._origin.polls:
            self._origin.polls.remove(self)

    def pause_writing(self) -> None:
        self._writing.clear()

    def resume_writing(self) -> None:
        self._writing.set()

    def data_received(self, data: bytes) -> None:
        if self._todo is not None:
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if self._left == 0:
                self._answered()
        self._read += data
        while self._todo is None and (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[: end + 2])
            del self._read[: end + 4]
            self._asked(head)

    def _asked(self, head: bytes) -> None:
        asked = _HEAD.match(head)
        length = _LENGTH.search(head)
        if asked is None or (
            length is None and b"\r\ntransfer-encoding" in head.lower()
        ):
            self.answer(411, b"{}")
            self._transport.close()
            return
        self._size = self._left = int(length[1]) if length else 0
        taken = min(self._left, len(self._read))
        del self._read[:taken]
        self._left -= taken
        query = parse_qs(asked[3].decode())
        self._todo = asked[1], asked[2].decode(), query, self._origin.entitled(head)
        if self._left == 0:
            self._answered()

    def _answered(self) -> None:
        """Answer the request whose body has come."""
        assert self._todo is not None
        (method, path, query, entitled), self._todo = self._todo, None
        origin = self._origin
        if path.startswith("/bench/"):
            told = origin.control(path)
            self.answer(404 if told is None else 200, json.dumps(told).encode())
        elif (method, path) == (b"POST", "/oauth2/token"):
            self.answer(200, json.dumps(origin.issue()).encode())
        elif not entitled:
            origin.refused += 1
            self.answer(401, b"")
        elif path == "/2.0/poll":
            origin.polls.append(self)
        elif path == "/2.0/zeros":
            self._sending = asyncio.get_running_loop().create_task(
                self._zeros(int(query["size"][0]))
            )
        elif path == "/2.0/sink":
            self.answer(200, json.dumps({"received": self._size}).encode())
        else:
            self.answer(200, BODY)

    def answer(self, status: int, body: bytes) -> None:
        """Send a whole answer."""
        self._transport.write(_head(status, len(body)) + body)

    async def _zeros(self, size: int) -> None:
        self._transport.write(_head(200, size))
        while size > 0 and not self._transport.is_closing():
            await self._writing.wait()
            self._transport.write(BLOCK[:size])
            size -= len(BLOCK)


def _head(status: int, length: int) -> bytes:
    fields = f"Content-Type: application/json\r\nContent-Length: {length}\r\n"
    if status == 401:
        fields += 'WWW-Authenticate: Bearer realm="Service", error="invalid_token"\r\n'
    return f"HTTP/1.1 {status} {_REASONS[status]}\r\n{fields}\r\n".encode()


async def serve(origin: Origin, pem: str) -> None:
    """Answer until SIGINT or SIGTERM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: Line(origin), "127.0.0.1", 0, ssl=context, backlog=BACKLOG
    )
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"origin ready on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.origin")
    parser.add_argument("--pem", required=True)
    parser.add_argument("--life", type=int, default=3600)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(Origin(given.life), given.pem))


if __name__ == "__main__":
    main()
