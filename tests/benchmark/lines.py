"""Connections by which requests are sent, many of them from one thread."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import selectors
import socket
import ssl
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
PAUSE = 0
"""What a talk yields to wait until all others are as far."""

PATIENCE = 60.0
"""Seconds without any sign of life after which a measurement has failed."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_WANTS = (BlockingIOError, ssl.SSLWantReadError)

type Talk = Generator[int, None, None]
"""What one client says; it yields what it waits for."""


class MeasureError(Exception):
    """An answer that a measurement cannot count."""


@dataclass(frozen=True)
class Way:
    """How requests travel: to an address, by CONNECT to *tunnel*, in TLS."""

    address: tuple[str, int]
    host: str
    tunnel: str = ""
    tls: ssl.SSLContext | None = None
    fields: str = ""
    """Whole lines, for every request."""

    def request(self, method: str, path: str, fields: str = "") -> bytes:
        """Return a request's head."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
        return f"{head}Accept: */*\r\n{self.fields}{fields}\r\n".encode()


def trusting(certificates: Path) -> ssl.SSLContext:
    """Return what a client needs that trusts only these."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.set_alpn_protocols(["http/1.1"])
    return context


class Line:
    """One connection, of a crowd or alone."""

    def __init__(self, crowd: Crowd, way: Way) -> None:
        self._crowd = crowd
        self._way = way
        self.sock = socket.socket()
        self.sock.settimeout(0)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def open(self) -> Talk:
        """Connect, through the proxy's tunnel and in TLS where the way says so."""
        code = self.sock.connect_ex(self._way.address)
        if code not in {0, errno.EINPROGRESS}:
            raise MeasureError(f"no connection: {os.strerror(code)}")
        yield from self._wait(WRITE)
        if code := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise MeasureError(f"no connection: {os.strerror(code)}")
        if tunnel := self._way.tunnel:
            self.sock.send(
                f"CONNECT {tunnel} HTTP/1.1\r\nHost: {tunnel}\r\n\r\n".encode()
            )
            yield from self._wait(READ)
            answer = self.sock.recv(65536)
            if b" 200 " not in answer[:14] or not answer.endswith(b"\r\n\r\n"):
                raise MeasureError(f"no tunnel: {answer[:300]!r}")
        if self._way.tls is not None:
            self.sock = self._way.tls.wrap_socket(
                self.sock,
                do_handshake_on_connect=False,
                server_hostname=self._way.host.partition(":")[0],
            )
            yield from self._handshake()

    def _handshake(self) -> Talk:
        while True:
            try:
                return self.sock.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._wait(READ)
            except ssl.SSLWantWriteError:
                yield from self._wait(WRITE)

    def _wait(self, event: int) -> Talk:
        self._crowd.want(self.sock.fileno(), event)
        yield event

    def ask(self, request: bytes, expected: bytes | None = None) -> Talk:
        """Send a request; its answer has to be 200, with the *expected* body."""
        if self.sock.send(request) != len(request):
            raise MeasureError("a request did not fit into the socket's buffer")
        answer = b""
        whole = -1
        while whole < 0 or len(answer) < whole:
            yield from self._wait(READ)
            while True:
                try:
                    piece = self.sock.recv(65536)
                except _WANTS:
                    break
                if not piece:
                    raise MeasureError(f"the connection ended after {answer[:300]!r}")
                answer = answer + piece if answer else piece
                # What the kernel still has is told of again.
                if self._way.tls is None or not self.sock.pending():
                    break
            whole = _length(answer)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise MeasureError(f"not 200: {answer[:600]!r}")
        if expected is not None and not answer.endswith(b"\r\n\r\n" + expected):
            raise MeasureError(f"not what the server answers: {answer[:600]!r}")

    def close(self) -> None:
        """Close it at once."""
        self._crowd.leave(self.sock.fileno())
        self.sock.close()


def _length(answer: bytes) -> int:
    """Return the length of the whole answer, -1 while its head is not whole."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return -1
    found = _LENGTH.search(answer, 0, end + 2)
    if found is None:
        raise MeasureError(f"an answer without Content-Length: {answer[: end + 2]!r}")
    return end + 4 + int(found[1])


class Crowd:
    """Talks that go on side by side; the first that fails ends them all."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, Talk] = {}
        self._lines: dict[int, int] = {}
        self._now: Talk | None = None
        self.paused: list[Talk] = []

    def want(self, fd: int, event: int) -> None:
        """Let the talk that is running be resumed by this event."""
        have = self._lines.get(fd)
        if have is None:
            self._selector.register(fd, event, self._now)
        elif have != event:
            self._selector.modify(fd, event, self._now)
        self._lines[fd] = event

    def leave(self, fd: int) -> None:
        """Forget a connection that is about to be closed."""
        if self._lines.pop(fd, None) is not None:
            self._selector.unregister(fd)

    @property
    def busy(self) -> bool:
        """Tell whether any talk waits for its connection."""
        return bool(self._running)

    def start(self, talks: Iterable[Talk]) -> None:
        """Begin these talks, or go on with them."""
        for talk in talks:
            self._running[id(talk)] = talk
            self._resume(talk)

    def go_on(self) -> None:
        """Resume what is paused."""
        paused, self.paused = self.paused, []
        self.start(paused)

    def _resume(self, talk: Talk) -> None:
        self._now = talk
        try:
            event = next(talk)
        except StopIteration:
            del self._running[id(talk)]
            return
        except OSError as error:
            raise MeasureError(f"a connection broke: {error}") from None
        if event == PAUSE:
            del self._running[id(talk)]
            self.paused.append(talk)

    def run(self, until: float | None = None) -> None:
        """Go on until that time, or until every talk has paused or ended."""
        alive = time.monotonic()
        while self._running:
            now = time.monotonic()
            if until is not None and now >= until:
                return
            wait = 1.0 if until is None else min(1.0, until - now)
            events = self._selector.select(wait)
            if events:
                alive = now
            elif now - alive > PATIENCE:
                raise MeasureError(f"no answer for {PATIENCE:.0f} s")
            for key, _ in events:
                self._resume(key.data)

    def close(self) -> None:
        """Close what is still open."""
        for talk in [*self._running.values(), *self.paused]:
            talk.close()
        self._selector.close()


@contextlib.contextmanager
def crowd() -> Generator[Crowd]:
    """Give a crowd none of whose connections stays open."""
    made = Crowd()
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def line(among: Crowd, way: Way) -> Generator[Line]:
    """Give a connection that is closed in the end."""
    made = Line(among, way)
    try:
        yield made
    finally:
        made.close()
