"""
Nothing waits for its end: what one side sends is on its way to the other.

The test is the client and the server, and neither sends a byte before it has seen
that the last one arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from by_hand import Line
from flowing import WAYS, Flowing, chunk, flowing
from harness import Place, Proxy, Sandbox, Stock

IDLE_SCRIPT = Path(__file__).with_name("idle_script.py")
KIB = 1024
MIB = 1024 * KIB
OK = b"HTTP/1.1 200 OK\r\n"
BOTH = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flowing]:
    """Start a proxy and the server behind it."""
    with flowing(tmp_path_factory.mktemp("streaming")) as made:
        yield made


def authorised(server: Line) -> None:
    """Read a request's head; it has a token."""
    assert b"authorization: bearer " in server.head().lower()


def answered(client: Line, server: Line, head: bytes) -> None:
    """Answer with no more than a head, which comes to the client."""
    server.send(head + b"\r\n")
    assert client.head().startswith(head.split(b"\r\n")[0])


@BOTH
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_upload_flows(stage: Flowing, way: str, length: str):
    """Each piece is with the server before the client sends the next."""
    known = length == "known"
    size = 2 * MIB
    framing = f"Content-Length: {size}" if known else "Transfer-Encoding: chunked"
    with stage.client(way) as client:
        client.send(stage.head(way, "POST", framing))
        server = stage.server.line()
        authorised(server)
        sent = 0
        for number, part in enumerate((1, 10, 20 * KIB, 200 * KIB)):
            piece = bytes([number]) * part
            client.send(piece if known else chunk(piece))
            if known:
                assert server.exactly(part) == piece
            else:
                assert unchunked(server, part) == piece
            sent += part
        client.send(bytes(size - sent) if known else chunk(b""))
        assert server.exactly(size - sent if known else 5)

        answered(client, server, OK + b"Content-Length: 0\r\n")


ANSWERS = {
    "long": f"Content-Length: {3 * MIB}",
    "not so long": f"Content-Length: {100 * KIB}",
    "chunked": "Transfer-Encoding: chunked",
    "ended by its end": "Connection: close",
}


@BOTH
@pytest.mark.parametrize("kind", ANSWERS)
def test_download_flows(stage: Flowing, way: str, kind: str):
    """Head and pieces are with the client before the server sends the next."""
    chunked = kind == "chunked"
    with stage.client(way) as client:
        client.send(stage.head(way, "GET"))
        server = stage.server.line()
        authorised(server)

        answered(client, server, OK + ANSWERS[kind].encode() + b"\r\n")

        for number, part in enumerate((1, 10, 40 * KIB)):
            piece = bytes([number]) * part
            server.send(chunk(piece) if chunked else piece)
            got = unchunked(client, part) if chunked else client.exactly(part)
            assert got == piece
        if kind == "ended by its end":
            server.end()
            assert client.ended()


def unchunked(line: Line, size: int) -> bytes:
    """Read *size* bytes of a body in chunks, however they were divided."""
    got = b""
    while len(got) < size:
        number = b""
        while not number.endswith(b"\r\n"):
            number += line.exactly(1)
        got += line.exactly(int(number, 16))
        assert line.exactly(2) == b"\r\n"
    return got


@BOTH
@pytest.mark.parametrize("compressed", [False, True])
def test_events_flow(stage: Flowing, way: str, compressed: bool):
    """Server-sent events come one by one, and the next request is answered as well."""
    coding = b"Content-Encoding: gzip\r\n" if compressed else b""
    fields = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    with stage.client(way) as client:
        client.send(stage.head(way, "GET", "Accept: text/event-stream"))
        server = stage.server.line()
        authorised(server)
        answered(client, server, OK + coding + fields)
        for number in range(3):
            event = chunk(b"data: %d\n\n" % number)
            server.send(event)
            assert client.exactly(len(event)) == event
        server.send(chunk(b""))
        assert client.exactly(5) == chunk(b"")

        client.send(stage.head(way, "GET"))
        authorised(server)
        answered(client, server, OK + b"Content-Length: 0\r\n")


@BOTH
def test_long_polls_are_held_and_answered(stage: Flowing, way: str):
    """While one waits others are answered, and it is when its server answers."""
    with stage.client(way) as waiting:
        waiting.send(stage.head(way, "GET"))
        held = stage.server.line()
        authorised(held)
        with stage.client(way) as other:
            other.send(stage.head(way, "GET"))
            server = stage.server.line()
            authorised(server)
            answered(other, server, OK + b"Content-Length: 0\r\n")

        body = b'{"message":"new_change"}'
        held.send(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert waiting.head().startswith(b"HTTP/1.1 200 ")
        assert waiting.exactly(len(body)) == body


@BOTH
def test_both_directions_flow_at_once(stage: Flowing, way: str):
    """A server that answers while it is sent to: each hears the other at once."""
    chunks = "Transfer-Encoding: chunked"
    with stage.client(way) as client:
        client.send(stage.head(way, "POST", chunks))
        server = stage.server.line()
        authorised(server)
        client.send(chunk(b"first"))
        assert unchunked(server, 5) == b"first"
        answered(client, server, OK + chunks.encode() + b"\r\n")
        for number in range(10):
            piece = b"%d" % number * 1000
            client.send(chunk(piece))
            assert unchunked(server, 1000) == piece
            server.send(chunk(piece))
            assert unchunked(client, 1000) == piece
        client.send(chunk(b""))
        assert server.exactly(5) == chunk(b"")
        server.send(chunk(b""))
        assert client.exactly(5) == chunk(b"")


@BOTH
def test_a_client_that_asks_before_it_sends_is_told_to_go_on(stage: Flowing, way: str):
    """`Expect: 100-continue` is answered before a byte of the body was sent."""
    size = 2 * MIB
    fields = ("Expect: 100-continue", f"Content-Length: {size}")
    with stage.client(way) as client:
        client.send(stage.head(way, "PUT", *fields))
        assert client.head().startswith(b"HTTP/1.1 100 ")
        server = stage.server.line()
        authorised(server)
        client.send(bytes(1000))
        assert server.exactly(1000)
        client.send(bytes(size - 1000))
        assert server.count(size - 1000) == size - 1000
        answered(client, server, OK + b"Content-Length: 0\r\n")


def test_what_is_not_decrypted_flows(stage: Flowing):
    """Through a tunnel to a host that no rule names, any bytes, both ways."""
    with stage.client("opaque") as client:
        server = stage.server.line()
        for number in range(5):
            client.send(b"%d" % number)
            assert server.exactly(1) == b"%d" % number
            server.send(b"answer %d" % number)
            assert client.exactly(8) == b"answer %d" % number


@pytest.mark.parametrize("kind", ["serve", "stock"])
def test_an_idle_connection_lives_longer_than_a_long_poll(
    place: Place, sandbox: Sandbox, kind: str
):
    """Both kinds of proxy wait for 900 seconds, and Box answers after 610."""
    config, script = sandbox.state / "client_credentials.toml", str(IDLE_SCRIPT)
    proxy = (
        Proxy(place, config, mitmproxy=("-s", script))
        if kind == "serve"
        else Stock(place, config, "-s", script).ready()
    )
    assert proxy.curl("https://api.box.com/2.0/users/me").status == 200
    proxy.process.wait_for("^ended after 900 s$")
