"""Larger pieces are the same bytes, and nothing waits for more of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from OpenSSL import SSL

from everbearer.proxy.speed import pieces
from wrong_server import certificates

KIB = 1024
ACTIONS = st.one_of(
    st.tuples(st.just("sends"), st.integers(1, 200 * KIB)),
    st.tuples(st.just("receives"), st.lists(st.integers(1, 80 * KIB), min_size=1)),
    st.tuples(st.just("receives half"), st.integers(2, 50 * KIB)),
    st.tuples(st.just("peer ends"), st.none()),
    st.tuples(st.just("garbage"), st.integers(1, 100)),
)


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Let what a test puts into mitmproxy's place be gone after it."""
    for kind, name in (
        (ConnectionHandler, "handle_connection"),
        (TLSLayer, "send_data"),
        (TLSLayer, "receive_data"),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    """Give one side of TLS its certificate."""
    _, chain = certificates(("api.box.com",))
    pem = tmp_path_factory.mktemp("server") / "server.pem"
    pem.write_bytes(chain)
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_file(str(pem))
    context.use_privatekey_file(str(pem))
    return context


class Layer(TLSLayer):
    """One that keeps what it hands on."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, context.client)
        self.handed_on: list[events.Event] = []

    def event_to_child(self, event: events.Event) -> Iterator[commands.Command]:
        """Keep *event*."""
        self.handed_on.append(event)
        yield from ()


@dataclass
class World:
    """A layer, and who it speaks with."""

    layer: Layer
    peer: SSL.Connection
    send: Callable
    receive: Callable
    sent: int = 0
    told: list[str] = field(default_factory=list)
    arrived: bytes = b""

    def act(self, name: str, given: object) -> None:
        """Do one thing of `ACTIONS`; the same bytes in every world."""
        if name == "sends":
            self._do(self.send(self.layer, bytes(given)))
        elif name == "receives":
            for size in given:
                self._encrypt(size)
            self._do(self.receive(self.layer, drained(self.peer)))
        elif name == "receives half":
            self._encrypt(given)
            whole = drained(self.peer)
            for part in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
                if part:
                    self._do(self.receive(self.layer, part))
        elif name == "peer ends":
            with contextlib.suppress(SSL.Error):
                self.peer.shutdown()
            self._do(self.receive(self.layer, drained(self.peer)))
        else:
            self._do(self.receive(self.layer, b"\x17" * given))

    def _encrypt(self, size: int) -> None:
        self.sent += 1
        try:
            self.peer.send(bytes([self.sent % 256]) * size)
        except SSL.Error:  # it has ended: the layer gets nothing more
            self.told.append("nothing to receive")

    def _do(self, steps: Iterator[commands.Command]) -> None:
        try:
            for command in steps:
                if isinstance(command, commands.SendData):
                    self.peer.bio_write(command.data)
                    self.arrived += decrypted(self.peer)
                else:
                    assert isinstance(command, commands.Log)
                    self.told.append(command.message)
        except SSL.Error as error:
            self.told.append(f"raised {error!r}")

    def seen(self) -> dict[str, object]:
        """Return all that the world around the layer has seen of it."""
        data = [e for e in self.layer.handed_on if isinstance(e, events.DataReceived)]
        ends = [e for e in self.layer.handed_on if e not in data]
        return {
            "arrived": self.arrived,
            "handed on": [event.data for event in data],
            "ends": [type(event) for event in ends],
            "told": self.told,
            "state": self.layer.conn.state,
        }


def world(server: SSL.Context, send: Callable, receive: Callable) -> World:
    """Make a layer whose handshake is done."""
    client = Client(
        peername=("::1", 1),
        sockname=("::1", 2),
        timestamp_start=0,
        state=ConnectionState.OPEN,
    )
    layer = Layer(Context(client, Options()))
    layer.tls = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
    layer.tls.set_connect_state()
    peer = SSL.Connection(server)
    peer.set_accept_state()
    for one, other in ((layer.tls, peer), (peer, layer.tls)) * 3:
        with contextlib.suppress(SSL.WantReadError):
            one.do_handshake()
        if given := drained(one):
            other.bio_write(given)
    return World(layer, peer, send, receive)


def drained(side: SSL.Connection) -> bytes:
    """Return what a side has to send."""
    got = b""
    try:
        while True:
            got += side.bio_read(65535)
    except SSL.WantReadError:
        return got


def decrypted(side: SSL.Connection) -> bytes:
    """Return what a side has received."""
    got = b""
    try:
        while True:
            got += side.recv(65535)
    except SSL.Error:
        return got


@given(st.lists(ACTIONS, min_size=1, max_size=6))
def test_tls_carries_the_same(server: SSL.Context, actions: list):
    """Whatever comes and goes, and however it ends: what is seen is mitmproxy's own."""
    theirs = world(server, pieces._send_data, pieces._receive_data)
    ours = world(server, pieces.send_data, pieces.receive_data)
    for name, what in actions:
        for each in (theirs, ours):
            each.act(name, what)

        assert ours.seen() == theirs.seen()


def test_what_is_sent_leaves_in_one_piece(server: SSL.Context):
    """However long it is: one command, one write."""
    made = world(server, pieces.send_data, pieces.receive_data)
    for size in (1, 100, 16 * KIB, 100_000, pieces.OURS, 1024 * KIB):
        sent = [*pieces.send_data(made.layer, bytes(size))]

        assert [type(command) for command in sent] == [commands.SendData]


async def test_a_reader_gives_what_is_there():
    """All of it up to 256 KiB, at once; to others than mitmproxy what they ask for."""
    reader = pieces.LargeReader()
    reader.feed_data(b"x")
    assert await reader.read(pieces.THEIRS) == b"x"
    reader.feed_data(bytes(pieces.OURS + 10))
    assert len(await reader.read(5)) == 5
    assert len(await reader.read(pieces.THEIRS)) == pieces.OURS
    assert len(await reader.read(pieces.THEIRS)) == 5
    reader.feed_eof()
    assert await reader.read(pieces.THEIRS) == b""


class Writer:
    """Takes what is written at once."""

    async def drain(self) -> None:
        """Have nothing to wait for."""

    def close(self) -> None:
        """End."""


class Handler(ConnectionHandler):
    """One that keeps the sizes of what it reads."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        super().__init__(Context(client, Options()))
        self.transports[client] = ConnectionIO(reader=reader, writer=Writer())
        self.read: list[int] = []

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Have no hooks."""

    async def server_event(self, event: events.Event) -> None:
        """Keep its size."""
        if isinstance(event, events.DataReceived):
            self.read.append(len(event.data))


class OtherReader(asyncio.StreamReader):
    """Not as asyncio makes them."""


@pytest.mark.parametrize(
    ("kind", "size"),
    [(asyncio.StreamReader, pieces.OURS), (OtherReader, pieces.THEIRS)],
)
async def test_mitmproxy_reads_by_it(kind: type[asyncio.StreamReader], size: int):
    """What asyncio made reads more from now on; any other reader is left as it is."""
    pieces.replace()
    reader = kind()
    reader.feed_data(bytes(2 * pieces.OURS))
    reader.feed_eof()
    handler = Handler(reader)

    await handler.handle_connection(handler.client)

    assert handler.read[0] == size
    assert sum(handler.read) == 2 * pieces.OURS


def test_all_of_them_are_put_in_place():
    """From then on mitmproxy itself goes by them."""
    pieces.replace()

    assert ConnectionHandler.handle_connection is pieces.handle_connection
    assert TLSLayer.send_data is pieces.send_data
    assert TLSLayer.receive_data is pieces.receive_data
