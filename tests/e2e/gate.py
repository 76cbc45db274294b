"""A TCP relay on loopback that can be shut: what connects then is held."""

from __future__ import annotations

import contextlib
import socket
import threading

PATIENCE = 20.0


class Gate:
    """
    Forwards connections from `port` to another, as long as it is open.

    Where it is shut, those it has end; those that come are accepted, and not
    forwarded before it is opened again.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self.came = threading.Semaphore(0)
        """One more for each connection."""
        self.left = threading.Semaphore(0)
        """One more for each connection that its client has ended."""
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        """End every connection, and hold those that come."""
        self._open.clear()
        self._end()

    def open(self) -> None:
        """Forward what is held."""
        self._open.set()

    def close(self) -> None:
        """Listen no more, and end every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._open.set()
        self._end()

    def _end(self) -> None:
        while self._sockets:
            with contextlib.suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                serving = threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                )
                serving.start()

    def _serve(self, client: socket.socket) -> None:
        self.came.release()
        self._open.wait()
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets.append(server)
        answering = threading.Thread(
            target=self._pump, args=(server, client), daemon=True
        )
        answering.start()
        self._pump(client, server)
        self.left.release()
        answering.join()
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
