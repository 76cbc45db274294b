"""What follows from an event at once is what mitmproxy has follow from it later."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from mitmproxy.addonmanager import AddonManager
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, mode_servers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.proxy.tunnel import TunnelState
from mitmproxy.test import tflow

from everbearer.proxy import internals
from everbearer.proxy.speed import turns
from everbearer.proxy.speed.hooks import HookIndex
from proxy import manager_worlds
from proxy.mitmproxys_own import OWN
from proxy.test_proxy_speed_hooks import known_addons

HOOKS = st.sampled_from(["hook", "slow hook", "raising hook", "cancelled hook"])
PLAIN = st.sampled_from(
    [
        *("send client", "send server", "send server", "send gone", "log", "strange"),
        *("close server", "half-close server", "close client", "crash"),
    ]
)
# As with layers: whoever has started a hook waits for it.
STEP = st.builds(
    lambda plain, hook: [*plain, *hook],
    st.lists(PLAIN, max_size=5),
    st.lists(HOOKS, max_size=1),
)
SCRIPTS = st.lists(STEP, max_size=12)


class Writer:
    """Notes what is written, and is closed by the transport's end."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.closing = world, name, False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.world.writes.append((self.name, data))
        self.world.note("write", self.name, data)

    def write_eof(self) -> None:
        self.world.note("eof", self.name)

    def close(self) -> None:
        self.closing = True


class Reading:
    """Stands for the task that reads from a connection."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def cancel(self, why: str) -> None:
        self.world.note("cancelled", self.name, why)


class Handler(ConnectionHandler):
    """Its hooks do what their names say."""

    world: World

    async def handle_hook(self, hook: commands.StartHook) -> None:
        kind = hook.args()[0]
        self.world.note(kind, asyncio.current_task() is self.world.task)
        if kind == "slow hook":
            await asyncio.sleep(0)
            self.world.note("later")
        if kind == "raising hook":
            raise RuntimeError(kind)
        if kind == "cancelled hook":
            raise asyncio.CancelledError

    def log(
        self, message: str, level: int = logging.INFO, exc_info: Any = None
    ) -> None:
        self.world.note("log", message, level, bool(exc_info))


class Theirs(Handler):
    """mitmproxy's."""

    server_event = OWN[ConnectionHandler, "server_event"]
    hook_task = OWN[ConnectionHandler, "hook_task"]


class Ours(Handler):
    """Ours."""

    server_event = turns.server_event  # type: ignore[assignment]
    hook_task = turns.hook_task  # type: ignore[assignment]


@dataclass
class TurnsTestHook(commands.StartHook):
    """A hook whose one argument says what it does."""

    kind: str


def context_of(client: Client) -> Context:
    """Return a context with the options that a handler reads."""
    options = Options()
    if "tcp_timeout" not in options:
        options.add_option("tcp_timeout", int, 600, "")
    return Context(client, options)


class World:
    """A handler whose layer follows a script: the next step at each event."""

    def __init__(self, kind: type[Handler], script: list[list[str]]) -> None:
        self.trace: list[tuple[object, ...]] = []
        self.writes: list[tuple[str, bytes]] = []
        self.steps = iter(script)
        self.count = itertools.count()
        self.task = asyncio.current_task()
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        client.state = ConnectionState.OPEN
        self.handler = kind(context_of(client))
        self.handler.world = self
        self.handler.layer = self  # type: ignore[assignment]
        self.server = Server(address=("::1", 3))
        self.server.state = ConnectionState.OPEN
        self.gone = Server(address=("::1", 4))
        for name, connection in (("client", client), ("server", self.server)):
            task: Any = Reading(self, name)
            io = ConnectionIO(handler=task, writer=Writer(self, name))  # type: ignore[arg-type]
            self.handler.transports[connection] = io

    def note(self, *what: object) -> None:
        """Add to the trace; pieces sent one after the other are one."""
        if what[0] == "write" and self.trace and self.trace[-1][:2] == what[:2]:
            self.trace[-1] = (*what[:2], self.trace[-1][2] + what[2])  # type: ignore[operator]
        else:
            self.trace.append(what)

    def handle_event(self, event: events.Event) -> Any:
        self.note("event", type(event).__name__)
        for word in next(self.steps, []):
            if word == "crash":
                raise RuntimeError("broken")
            yield self._command(word)

    def _command(self, word: str) -> commands.Command:
        where: Any = {
            "client": self.handler.client,
            "server": self.server,
            "gone": self.gone,
        }.get(word.rsplit(maxsplit=1)[-1])
        if word.startswith("send"):
            return commands.SendData(where, b"%d;" % next(self.count))
        if word.startswith("half-close"):
            return commands.CloseTcpConnection(where, half_close=True)
        if word.startswith("close"):
            return commands.CloseConnection(where)
        if word.endswith("hook"):
            return TurnsTestHook(word)
        return commands.Log("told") if word == "log" else commands.Command()

    async def run(self) -> list[tuple[object, ...]]:
        """Let two events come, with time for all that follows; return the trace."""
        for event in (events.Start(), events.DataReceived(self.server, b"x")):
            await self.handler.server_event(event)
            for _ in range(100):
                await asyncio.sleep(0)
        return self.trace


def in_both(script: list[list[str]]) -> tuple[World, World]:
    """Play the script with mitmproxy's and with ours."""

    async def play() -> tuple[World, World]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        loop.set_exception_handler(lambda *_: None)  # hooks raise
        worlds = World(Theirs, script), World(Ours, script)
        for world in worlds:
            await world.run()
        return worlds

    return asyncio.run(play())


@given(SCRIPTS)
def test_the_same_follows_in_the_same_order(script: list[list[str]]):
    """Hooks, bytes, ends, logs and crashes; each hook in a task of its own."""
    theirs, ours = in_both(script)

    assert ours.trace == theirs.trace


def test_head_and_body_are_sent_together():
    """One piece where mitmproxy sends two; nothing in between, nothing else."""
    script = [["send client", "send client", "send server", "log", "send server"]]
    theirs, ours = in_both(script)

    assert [name for name, _ in theirs.writes] == ["client"] * 2 + ["server"] * 2
    assert ours.writes == [("client", b"0;1;"), ("server", b"2;"), ("server", b"3;")]


def test_a_hook_that_is_over_at_once_is_followed_at_once():
    """The event is not over before that; of one that takes its time it is."""

    async def play(kind: type[Handler], hook: str) -> list[object]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        world = World(kind, [[hook]])
        await world.handler.server_event(events.Start())
        return [what[1] for what in world.trace if what[0] == "event"]

    both = ["Start", "HookCompleted"]
    assert asyncio.run(play(Ours, "hook")) == both
    assert asyncio.run(play(Ours, "slow hook")) == both[:1]
    assert asyncio.run(play(Theirs, "hook")) == both[:1]


def test_what_is_large_or_a_datagram_is_sent_as_it_is():
    """Large pieces are not copied; what was to be one datagram stays one."""

    async def play() -> list[int]:
        world = World(Ours, [])
        unsent = turns._Unsent(world.handler)
        for size in (turns.TOGETHER, 1, 2):
            unsent.add(commands.SendData(world.server, bytes(size)))
        unsent.send()
        world.server.transport_protocol = "udp"
        for size in (3, 4):
            unsent.add(commands.SendData(world.server, bytes(size)))
        unsent.send()
        return [len(data) for _, data in world.writes]

    assert asyncio.run(play()) == [turns.TOGETHER, 3, 3, 4]


def test_others_have_their_turn():
    """One connection's hooks do not keep the loop from another's for long."""

    async def play() -> list[tuple[object, ...]]:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        world = World(Ours, [["hook"]] * 50)
        loop.call_soon(world.note, "another")
        return await world.run()

    trace = asyncio.run(play())
    began = [what[0] for what in trace]
    assert began[: began.index("another")].count("hook") == turns.AT_ONCE + 1
    assert began.count("hook") == 50


class Proxy(mode_servers.ProxyConnectionHandler):
    """A proxy's own handler, with a manager and nobody connected."""

    def __init__(self, client: Client, told: Any) -> None:
        ConnectionHandler.__init__(self, context_of(client))
        self.master: Any = type("M", (), {"addons": told.manager})
        self.layer = told.layer

    def log(self, *_: object, **__: object) -> None:
        raise AssertionError("mitmproxy has crashed")


class Asking:
    """A layer that has one hook run, and notes that it was."""

    def __init__(self, trace: list[object], hook: commands.StartHook) -> None:
        self.trace, self.hook = trace, hook

    def handle_event(self, event: events.Event) -> Any:
        self.trace.append(type(event).__name__)
        if isinstance(event, events.Start):
            yield self.hook


class TheirProxy(Proxy):
    """mitmproxy's."""

    server_event = OWN[ConnectionHandler, "server_event"]
    hook_task = OWN[ConnectionHandler, "hook_task"]


class OurProxy(Proxy):
    """Ours."""

    server_event = turns.server_event  # type: ignore[assignment]
    hook_task = turns.hook_task  # type: ignore[assignment]


ACTIONS = st.sampled_from(
    ["note", "tick", "raise", "halt", "cancel", "async raise", "async halt"]
)


@given(
    st.lists(
        st.tuples(ACTIONS, st.sampled_from(["mitmproxy", "somebody"])), max_size=4
    ),
    st.sampled_from(["as it is", "intercepted", "our own wait", "another's wait"]),
)
def test_addons_are_called_the_same(actions: list[tuple[str, str]], waits: str):
    """Whoever they are, whatever they do, and whatever the flow waits for."""

    async def play(kind: type[Proxy], manager: type[AddonManager]) -> object:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        loop.set_exception_handler(lambda *_: None)  # hooks raise
        told = manager_worlds.World(manager)
        for number, (action, package) in enumerate(actions):
            spec = {"request": action, "update": "note"}
            told.manager.add(told.make(f"a{number}", package, spec))
        flow = tflow.tflow()
        if waits == "our own wait":
            internals.after_resume(flow, lambda: told.trace.append("checked"))
        elif waits == "another's wait":
            vars(flow)["wait_for_resume"] = lambda: asyncio.sleep(0)
        elif waits == "intercepted":
            flow.intercept()
        told.layer = Asking(told.trace, HttpRequestHook(flow))
        handler = kind(
            Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0), told
        )
        await handler.server_event(events.Start())
        for _ in range(20):
            await asyncio.sleep(0)
        told.trace.append("resumed")
        flow.resume()
        for _ in range(20):
            await asyncio.sleep(0)
        return told.trace, handler.timeout_watchdog.blocker

    theirs = asyncio.run(play(TheirProxy, AddonManager))

    assert asyncio.run(play(OurProxy, HookIndex)) == theirs


def test_a_script_has_a_task_of_its_own():
    """A hook of somebody else's may ask for its task, as under mitmproxy."""

    class Script:
        def request(self, _flow: object) -> None:
            tasks.append(asyncio.current_task())

    tasks: list[object] = []

    async def play() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        told: Any = manager_worlds.World(HookIndex)
        told.manager.add(Script())
        told.layer = Asking([], HttpRequestHook(tflow.tflow()))
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        await OurProxy(client, told).server_event(events.Start())
        assert tasks != [asyncio.current_task()]

    asyncio.run(play())
    assert len(tasks) == 1


def test_none_of_the_addons_asks_for_its_task():
    """What calling them in no task of their own rests on; not before they wait."""
    ours = Path(turns.__file__).parents[1].glob("*.py")
    for kind in {kind for addon in known_addons() for kind in type(addon).__mro__}:
        if kind.__module__.startswith("mitmproxy."):
            assert "current_task" not in inspect.getsource(kind)
    for path in ours:
        # There it is a connection's own task that asks, between two reads.
        if path.name != "pressure.py":
            assert "current_task" not in path.read_text(), path


class Inside:
    """What is inside TLS: a layer that commands what it is told."""

    def __init__(self, script: list[Any], *, breaks: bool) -> None:
        self.script, self.breaks = script, breaks

    def handle_event(self, _: events.Event) -> Any:
        yield from self.script
        if self.breaks:
            raise RuntimeError("broken")


class Encrypts(TLSLayer):
    """A TLS layer that marks what it would encrypt."""

    def __init__(self, context: Context, inside: Inside, state: TunnelState) -> None:
        super().__init__(context, context.client)
        self.child_layer = inside  # type: ignore[assignment]
        self.tunnel_state = state

    def send_data(self, data: bytes) -> Any:
        yield commands.SendData(self.conn, b"<" + data + b">")


PIECES = st.sampled_from(
    [b"a", b"bb", bytes(turns.TOGETHER - 1), bytes(70_000), "other", "log"]
)


@given(st.lists(PIECES, max_size=6), st.booleans(), st.sampled_from(TunnelState))
def test_what_is_encrypted_together_is_the_same(
    pieces: list[Any], breaks: bool, state: TunnelState
):
    """The same bytes between the same other commands, in fewer pieces."""
    client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
    context = Context(client, Options())
    other = Server(address=("::1", 3))
    script = [
        commands.Log("told")
        if piece == "log"
        else commands.SendData(other, b"o")
        if piece == "other"
        else commands.SendData(client, piece)
        for piece in pieces
    ]

    def told(handle: Any) -> tuple[list[object], int, int]:
        layer = Encrypts(context.fork(), Inside(script, breaks=breaks), state)
        seen: list[Any] = []
        largest = count = 0
        try:
            for command in handle(layer, events.Start()):
                if (
                    isinstance(command, commands.SendData)
                    and command.connection is client
                ):
                    count += 1
                    inner = command.data[1:-1]
                    largest = max(largest, len(inner))
                    if seen and isinstance(seen[-1], bytes):
                        seen[-1] += inner
                    else:
                        seen.append(inner)
                else:
                    seen.append(command)
        except RuntimeError:
            seen.append("broken")
        return [*seen, len(layer._event_queue)], largest, count

    theirs, largest, count = told(OWN[TLSLayer, "event_to_child"])
    mine, ours, fewer = told(turns.event_to_child)

    assert mine == theirs
    assert fewer <= count
    assert ours <= max(largest, turns.TOGETHER)


def test_head_and_body_are_encrypted_together():
    """One TLS record where mitmproxy makes two."""
    client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
    head, body = (commands.SendData(client, data) for data in (b"head", b"body"))
    inside = Inside([head, body], breaks=False)
    layer = Encrypts(Context(client, Options()), inside, TunnelState.OPEN)

    sent = [command.data for command in turns.event_to_child(layer, events.Start())]

    assert sent == [b"<headbody>"]

    client.transport_protocol = "udp"  # a datagram stays one
    sent = [command.data for command in turns.event_to_child(layer, events.Start())]
    assert sent == [b"<head>", b"<body>"]
