"""A server that a test plays itself: it reads and sends every byte by hand."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from pathlib import Path

PATIENCE = 30.0
"""Seconds without a byte after which a test fails."""


class Line:
    """One side of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._read = b""

    def head(self) -> bytes:
        """Read a head, and the empty line at its end."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._read) < size:
            self._more()
        got, self._read = self._read[:size], self._read[size:]
        return got

    def count(self, size: int) -> int:
        """Read up to *size* bytes until the end; return how many, keeping none."""
        got, self._read = len(self._read), b""
        buffer = bytearray(256 * 1024)
        while got < size and (read := self._socket.recv_into(buffer)):
            got += read
        return got

    def ended(self) -> bool:
        """Wait for the end; tell whether nothing came before it."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while piece := self._socket.recv(65536):
                self._read += piece
        return not self._read

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def leave(self) -> None:
        """Send no more, and wait until the other side has ended as well."""
        self._socket.shutdown(socket.SHUT_WR)
        assert self.ended()
        self.end()

    def end(self) -> None:
        """Send no more, and read no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _more(self) -> None:
        piece = self._socket.recv(65536)
        assert piece, f"the connection ended after {self._read[:300]!r}"
        self._read += piece


class Sending:
    """Sends so many bytes, in a thread of its own; `sent` of them were taken."""

    def __init__(self, line: Line, total: int) -> None:
        self.sent = 0
        self._line = line
        self._total = total
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        piece = bytes(16 * 1024)
        with contextlib.suppress(OSError):
            while self.sent < self._total:
                self._line.send(piece)
                self.sent += len(piece)

    def stalled(self, patience: float = 2.0) -> int:
        """Wait until nobody has taken anything for *patience*; return `sent`."""
        before = -1
        while before < self.sent < self._total:
            before = self.sent
            self._thread.join(patience)
        return self.sent

    def ended(self) -> bool:
        """Wait for its end; tell whether all of it was taken."""
        self._thread.join(PATIENCE)
        return self.sent == self._total


class ByHand:
    """
    Listens on `port`, and gives its connections in the order in which they come.

    With TLS by the certificate in *pem*; a proxy dials before it is asked.
    """

    def __init__(self, pem: Path | None) -> None:
        self._tls = None
        if pem is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(pem)
        self.welcoming = threading.Event()
        """While it is not set, who connects waits for TLS to begin."""
        self.welcoming.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lines: queue.Queue[Line] = queue.Queue()
        self._open: list[Line] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def line(self) -> Line:
        """Return the next connection."""
        return self._lines.get(timeout=PATIENCE)

    def close(self) -> None:
        """Listen no more, and end every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.welcoming.set()
        for line in self._open:
            line.end()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(PATIENCE)
                self.welcoming.wait()
                with contextlib.suppress(OSError):
                    if self._tls is not None:
                        sock = self._tls.wrap_socket(sock, server_side=True)
                    line = Line(sock)
                    self._open.append(line)
                    self._lines.put(line)
