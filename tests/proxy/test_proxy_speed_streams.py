"""What the parts of an HTTP layer ask of each other is done as mitmproxy does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis import given, settings
from mitmproxy.connection import Client, Server
from mitmproxy.http import Request
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    HttpLayer,
    HTTPMode,
    ReceiveHttp,
    RegisterHttpConnection,
    RequestData,
    RequestHeaders,
    SendHttp,
)

from everbearer.proxy.speed import streams
from proxy.mitmproxys_own import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.proxy.layer import Layer

WORDS = [
    *("send", "send", "hook", "log", "blocking log", "wakeup", "close", "open"),
    *("receive head 1", "receive head 3", "receive 1", "receive 3", "receive 9"),
    *("ask client", "ask server", "ask unknown", "drop 1", "drop 9", "crash"),
    *("get", "register"),
]
SCRIPTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=5), max_size=12)


@dataclass
class StreamsTestHook(commands.StartHook):
    """A hook, which blocks who asks for it."""

    number: int

    __hash__ = object.__hash__


class Part:
    """A connection or a stream: at each event it asks for what is next."""

    def __init__(self, world: Toy, name: str) -> None:
        self.world, self.name = world, name

    def handle_event(self, event: events.Event) -> Iterator[commands.Command]:
        """Note *event*, and ask."""
        self.world.trace.append((self.name, type(event).__name__))
        for word in next(self.world.steps, []):
            if word == "crash":
                raise RuntimeError(self.name)
            yield self.world.command(word)


class Toy(HttpLayer):
    """A layer whose parts follow one script."""

    def __init__(self, script: list[list[str]]) -> None:
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        super().__init__(Context(client, Options()), HTTPMode.regular)
        self.trace: list[tuple[str, ...]] = []
        self.steps = iter(script)
        self.names: dict[int, str] = {}
        self.made: list[commands.Command] = []
        self.server = Server(address=("api.box.com", 443))
        self.elsewhere = Server(address=("elsewhere", 443))
        self.connections: Any = {
            client: Part(self, "client"),
            self.server: Part(self, "server"),
        }
        self.streams: Any = {}

    def command(self, word: str) -> commands.Command:
        """Make what *word* stands for."""
        made = self._command(word)
        self.names[id(made)] = f"{len(self.made)} {word}"
        self.made.append(made)
        return made

    def _command(self, word: str) -> commands.Command:
        kind, _, which = word.rpartition(" ")
        if kind == "receive head":
            request = Request.make("GET", "https://api.box.com/")
            return ReceiveHttp(RequestHeaders(int(which), request, end_stream=True))
        if kind == "receive":
            return ReceiveHttp(RequestData(int(which), b"x"))
        if kind == "drop":
            return DropStream(int(which))
        if kind == "ask":
            whom = {"client": self.context.client, "server": self.server}
            to = whom.get(which, self.elsewhere)
            return SendHttp(RequestData(1, b"x"), to)
        if word == "blocking log":
            made = commands.Log("told")
            made.blocking = True
            return made
        plain = {
            "send": lambda: commands.SendData(self.server, b"x"),
            "hook": lambda: StreamsTestHook(len(self.made)),
            "log": lambda: commands.Log("told"),
            "wakeup": lambda: commands.RequestWakeup(1),
            "close": lambda: commands.CloseConnection(self.server),
            "open": lambda: commands.OpenConnection(self.elsewhere),
            "get": lambda: GetHttpConnection(("api.box.com", 443), True, None),  # noqa: FBT003 - theirs
            "register": lambda: RegisterHttpConnection(self.server, None),
        }
        return plain[word]()

    def make_stream(self, stream_id: int) -> Any:
        self.streams[stream_id] = part = Part(self, f"stream {stream_id}")
        yield from self.event_to_child(part, events.Start())  # type: ignore[arg-type]

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> Any:
        self.trace.append(("get", self.names[id(event)], str(reuse)))
        yield self.command("log")

    def register_connection(self, command: RegisterHttpConnection) -> Any:
        self.trace.append(("register", self.names[id(command)]))
        yield self.command("log")

    def play(self) -> tuple[object, ...]:
        """Let two events come; return all that shows."""
        for part in list(self.connections.values()):
            try:
                for command in self.event_to_child(part, events.Start()):
                    self.trace.append(("asks", self.names[id(command)]))
            except (KeyError, RuntimeError) as error:
                self.trace.append(("raises", type(error).__name__))
        return (
            self.trace,
            {self.names[id(c)]: _name(p) for c, p in self.command_sources.items()},
            {number: _name(part) for number, part in self.streams.items()},
            {str(c.address): _name(self.connections[c]) for c in self._servers()},
        )

    def _servers(self) -> list[Server]:
        return [each for each in self.connections if isinstance(each, Server)]


def _name(part: Layer | Part) -> str:
    assert isinstance(part, Part)
    return part.name


class Theirs(Toy):
    """mitmproxy's."""

    event_to_child = OWN[HttpLayer, "event_to_child"]


class Ours(Toy):
    """Ours."""

    event_to_child = streams.event_to_child  # type: ignore[assignment]


@settings(max_examples=500)
@given(SCRIPTS)
def test_what_is_asked_for_is_done_the_same(script: list[list[str]]):
    """The same goes on, in the same order; whoever waits is found by his answer."""
    assert Ours(script).play() == Theirs(script).play()


def test_mitmproxy_goes_by_it():
    """From then on its layers do."""
    streams.replace()

    assert HttpLayer.event_to_child is streams.event_to_child
