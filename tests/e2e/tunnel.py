"""Clients that keep their connection, and many of them at once."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from harness import Answer, Proxy

PATIENCE = 60.0


class Tunnel:
    """One connection to a host by the explicit proxy, kept from request to request."""

    def __init__(self, proxy: Proxy, host: str = "api.box.com", user: str = "") -> None:
        context = ssl.create_default_context(cafile=str(proxy.ca))
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", proxy.port, context=context, timeout=PATIENCE
        )
        fields = {"Proxy-Authorization": user} if user else {}
        self._connection.set_tunnel(host, 443, fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Our own port, by which the proxy knows the connection."""
        return self._connection.sock.getsockname()[1]

    def open(self) -> None:
        """Connect, and ask for nothing yet."""
        self._connection.connect()

    def close(self) -> None:
        """Leave, whatever is under way; who waits for an answer gets an OSError."""
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, **fields: str
    ) -> Answer:
        """Send a whole request and wait for its answer."""
        self._connection.request(method, path, body, _named(fields))
        return self.answer()

    def begin(self, method: str, path: str, **fields: str) -> None:
        """Send a head; its body is up to `send`."""
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in _named(fields).items():
            self._connection.putheader(name, value)
        self._connection.endheaders()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sock.sendall(data)

    def send_until_blocked(self, data: bytes, times: int, patience: float) -> int:
        """
        Send *data* so many times, or until nobody takes any more of it.

        Returns how many times it was sent whole; the last one may be cut. Such a
        request is good for nothing but to be closed, or ended with `send`.
        """
        sock = self._connection.sock
        sock.settimeout(patience)
        try:
            for sent in range(times):
                try:
                    sock.sendall(data)
                except TimeoutError:
                    return sent
            return times
        finally:
            sock.settimeout(PATIENCE)

    def answer(self) -> Answer:
        """Wait for the answer to what was begun."""
        response = self._connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read(), 0, "")

    def read_some(self, size: int) -> int:
        """Read so much of an answer; return how much there was."""
        response = self._connection.getresponse()
        got = 0
        while got < size and (piece := response.read(256 * 1024)):
            got += len(piece)
        return got


def _named(fields: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in fields.items()}


class Crowd:
    """Requests under way at the same time, each on a connection of its own."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._pool = ThreadPoolExecutor(256)
        self._tunnels: list[Tunnel] = []
        self._lock = threading.Lock()

    def send(self, method: str, path: str, **fields: str) -> Future[Answer]:
        """Send one more request."""
        return self._pool.submit(self._ask, method, path, fields)

    def _ask(self, method: str, path: str, fields: dict[str, str]) -> Answer:
        with Tunnel(self._proxy) as tunnel:
            with self._lock:
                self._tunnels.append(tunnel)
            return tunnel.ask(method, path, **fields)

    def close(self) -> None:
        """End what is still under way."""
        for tunnel in self._tunnels:
            tunnel.close()
        self._pool.shutdown()


@contextlib.contextmanager
def crowd(proxy: Proxy) -> Iterator[Crowd]:
    """Give a crowd; nobody of it outlives the test."""
    many = Crowd(proxy)
    try:
        yield many
    finally:
        many.close()
