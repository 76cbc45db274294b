"""Who reads slowly slows down who sends; the proxy's memory does not take it up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import product

import pytest

from by_hand import Line, Sending
from flowing import WAYS, Flowing, flowing
from growth import MIB, Growth
from harness import Place, Proxy, Sandbox
from http2_client import Http2, request
from http2_front import config_behind_http2
from raw_client import connected
from running import eventually

SIZE = 256 * MIB
BETWEEN = 48 * MIB
"""Bytes that may be under way: most of them in the buffers of the system."""

GROWTH = 12
"""MiB of memory that one transfer may take, at most."""

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = f"Content-Length: {SIZE}"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flowing]:
    """Start a proxy and the server behind it, warmed up by a few requests."""
    with flowing(tmp_path_factory.mktemp("back_pressure")) as made:
        for way in (*WAYS, "opaque"):
            with made.client(way) as client:
                _, sending = begun(made, way, client, "down", "known", 4 * MIB)
                assert client.count(4 * MIB) == 4 * MIB
                assert sending.ended()
        yield made


def begun(
    stage: Flowing, way: str, client: Line, direction: str, length: str, size: int
) -> tuple[Line, Sending]:
    """Begin a transfer; return who is to read it, and who sends."""
    framing = f"Content-Length: {size}" if length == "known" else CHUNKED
    # A single chunk of that length, whose end does not matter here.
    first = b"" if length == "known" else b"%x\r\n" % size
    if way == "opaque":
        server = stage.server.line()
        first = b""
    elif direction == "up":
        client.send(stage.head(way, "POST", framing))
        server = stage.server.line()
        server.head()
    else:
        client.send(stage.head(way, "GET"))
        server = stage.server.line()
        server.head()
        server.send(OK + framing.encode() + b"\r\n\r\n")
        client.head()
    sender, reader = (client, server) if direction == "up" else (server, client)
    sender.send(first)
    return reader, Sending(sender, size)


@pytest.mark.parametrize(
    ("way", "length"), [*product(WAYS, ("known", "unknown")), ("opaque", "known")]
)
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_slow_reader_stops_a_fast_sender(
    stage: Flowing, way: str, direction: str, length: str, record_property
):
    """Nobody reads: the sender is stopped, and nothing of it fills the memory."""
    with stage.client(way) as client:
        growth = Growth(stage.proxy.process)
        reader, sending = begun(stage, way, client, direction, length, SIZE)

        sent = sending.stalled()

        grown = growth.mib()
        what = f"nobody reads 256 MiB {direction}, length {length}, {way}"
        record_property("measured", f"{what}: memory +{grown:.0f} MiB")
        assert sent < BETWEEN
        assert grown < GROWTH
        # And once it is read, it all comes.
        assert reader.count(SIZE) >= SIZE
        assert sending.ended()
        assert growth.mib() < GROWTH


@pytest.mark.parametrize(
    ("way", "reused"), [("explicit", True), ("reverse", True), ("reverse", False)]
)
def test_an_upload_waits_outside_for_a_slow_server(
    stage: Flowing, way: str, reused: bool, record_property
):
    """The server takes its time to let the proxy in: nothing is read meanwhile."""
    stage.server.welcoming.clear()
    with stage.client(way) if not reused else used(stage, way) as client:
        growth = Growth(stage.proxy.process)
        client.send(stage.head(way, "POST", CHUNKED) + b"%x\r\n" % SIZE)
        sending = Sending(client, SIZE)

        sent = sending.stalled()

        grown = growth.mib()
        what = f"256 MiB wait for a connection, {way}"
        record_property("measured", f"{what}: memory +{grown:.0f} MiB")
        assert sent < BETWEEN
        assert grown < GROWTH
        stage.server.welcoming.set()
        server = stage.server.line()
        assert b"authorization: bearer " in server.head().lower()
        assert server.count(SIZE) >= SIZE
        assert sending.ended()


@contextlib.contextmanager
def used(stage: Flowing, way: str) -> Iterator[Line]:
    """Give a client whose server has ended its connection after an answer."""
    stage.server.welcoming.set()
    with stage.client(way) as client:
        client.send(stage.head(way, "GET"))
        server = stage.server.line()
        server.head()
        stage.server.welcoming.clear()
        server.send(OK + b"Content-Length: 0\r\n\r\n")
        client.head()
        server.leave()
        yield client


def test_a_window_of_http2_slows_nobody_down(place: Place, sandbox: Sandbox):
    """
    What a client's window leaves no room for is held, as README and SECURITY say.

    Where this fails they can be mended, and `proxy.http2` become the default.
    """
    proxy = Proxy(place, config_behind_http2(place, sandbox, streaming=True))
    assert proxy.curl("--http2", "https://api.box.com/2.0/users/me").status == 200
    sandbox.fault({"huge": SIZE}, path="/2.0/anything", times=1)
    growth = Growth(proxy.process)
    connect = b"CONNECT api.box.com:443 HTTP/1.1\r\nHost: api.box.com:443\r\n\r\n"
    with connected(
        proxy.port, connect=connect, sni="api.box.com", alpn=("h2",)
    ) as channel:
        Http2(channel).begin(request("/2.0/anything"))

        eventually(lambda: growth.mib() > 100, "the proxy has what nobody wanted yet")
