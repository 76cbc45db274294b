"""A measurement counts right answers, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmark.asked import BODY, PATH
from benchmark.lines import MeasureError, Way
from benchmark.load import Slice, Work, measure
from ports import unused_port

pytestmark = pytest.mark.real


class Server(ThreadingHTTPServer):
    """It gives one answer for ever, and counts."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes, after: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.after = status, body, after
        self.asked: list[str | None] = []

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that leave."""


class Handler(BaseHTTPRequestHandler):
    """After so many right answers the given one follows."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers["Connection"])
        first = len(server.asked) <= server.after
        body = BODY if first else server.body
        self.send_response(200 if first else server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(status: int = 200, body: bytes = BODY, after: int = 0) -> Iterator[Server]:
    """Run a server."""
    server = Server(status, body, after)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def measured(port: int, keep: bool = True) -> Slice:
    """Measure until there are ten answers."""
    way = Way(("127.0.0.1", port), f"127.0.0.1:{port}")
    work = Work(way, PATH, BODY, connections=3, keep=keep)
    return measure(work, 0.0, lambda: 0.0, lambda: None, least=10)


@pytest.mark.parametrize("keep", [True, False])
def test_every_answer_is_counted_once(keep: bool):
    """What the server answered is what was counted, but for the first of each."""
    with serving() as server:
        found = measured(server.server_port, keep)

    assert found.requests >= 10
    assert len(server.asked) == found.requests + (3 if keep else 0)
    assert set(server.asked) == ({None} if keep else {"close"})
    assert found.proxy_cpu == 0.0
    assert found.server_cpu is None


@pytest.mark.parametrize("after", [0, 7])
@pytest.mark.parametrize(
    ("status", "body"), [(401, BODY), (200, b"{}"), (502, b"no token")]
)
def test_anything_but_the_right_answer_fails(status: int, body: bytes, after: int):
    """One answer that is not 200, or not the server's, ends the measurement."""
    with serving(status, body, after) as server, pytest.raises(MeasureError):
        measured(server.server_port)


def test_nobody_there_fails():
    """A proxy that does not listen is no measurement of zero."""
    with pytest.raises(MeasureError, match="refused"):
        measured(unused_port())
