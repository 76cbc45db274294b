"""
Every reach into what mitmproxy does not promise, in one place.

`check()` is called at start: on a mitmproxy that lacks one of these parts
everbearer refuses to run instead of running with a gap. Each function names the
behaviour it relies on (mitmproxy 12.0 to 12.2).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import ctx
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.flow import Flow
from mitmproxy.proxy import server
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.server import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from mitmproxy.connection import Client, Connection, Server
    from mitmproxy.http import HTTPFlow, Message
    from mitmproxy.options import Options


_PARTS: Final[Mapping[type, tuple[str, ...]]] = {
    ConnectionHandler: (
        "_drain_lock",
        "drain_writers",
        "server_event",
        "transports",
        "wakeup_timer",
    ),
    Flow: ("_backup", "wait_for_resume"),
    HttpLayer: ("streams",),
    HttpStream: ("request_body_buf", "state_consume_request_body"),
    Proxyserver: ("connections", "servers"),
}
"""What is used here and in replay_connection, by class."""


_LOOK_EVERY: Final = 0.01
"""Seconds between two looks at whether an answer was sent."""


def check() -> list[str]:
    """Return what this mitmproxy lacks; empty when all is there."""
    return [
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for kind, names in _PARTS.items()
        for name in names
        if not (hasattr(kind, name) or name in _set_at_birth(kind))
    ]


def _set_at_birth(kind: type) -> tuple[str, ...]:
    """Return the names that `__init__` uses, attributes that it sets among them."""
    code = getattr(vars(kind).get("__init__"), "__code__", None)
    return code.co_names if code else ()


def set_idle_timeout(options: Options, seconds: int) -> None:
    """
    Let connections be idle for *seconds*.

    The first mitmproxy 12 has a constant where later ones have an option.
    """
    if "tcp_timeout" in options:
        options.update(tcp_timeout=seconds)
    else:
        vars(server)["TCP_TIMEOUT"] = seconds


def connection_handler(client: Client) -> ConnectionHandler | None:
    """Return what reads from *client*; None for a replay, which has no client."""
    proxyserver = ctx.master.addons.get("proxyserver")
    return proxyserver.connections.get(client.id) if proxyserver else None


def listening() -> frozenset[tuple[str, int]]:
    """Return the addresses on which this proxy serves."""
    proxyserver = ctx.master.addons.get("proxyserver")
    servers = proxyserver.servers if proxyserver else ()
    return frozenset(
        (address[0], address[1])
        for server in servers
        for address in server.listen_addrs
    )


@contextlib.asynccontextmanager
async def reading_paused(client: Client) -> AsyncIterator[None]:
    """
    Read nothing from *client* meanwhile.

    The handler drains its writers under `_drain_lock` after each read, before
    the next: while somebody else holds that lock at most one more read (64 KiB)
    enters memory. `transport.pause_reading()` does not hold.
    """
    handler = connection_handler(client)
    if handler is None:
        yield  # nobody reads: a saved flow is being replayed
        return
    async with handler._drain_lock:  # noqa: SLF001 - see above
        yield


def gather_into(flow: HTTPFlow, buffer: object) -> None:
    """
    Let mitmproxy gather the body of *flow*, in `requestheaders`, in *buffer*.

    `HttpStream.state_consume_request_body` does to its `request_body_buf` what
    `body.Held` can: it adds chunks with `+=`, asks for its length and its bytes
    and clears it. A flow does not know its stream; what a connection knows is its
    layers, of which an HTTP one has streams, and a stream (a CONNECT) layers.

    Raises LookupError where there is none.
    """
    handler = connection_handler(flow.client_conn)
    layers = list(handler.layer.context.layers) if handler else []
    seen = set()
    while layers:
        layer = layers.pop()
        if not isinstance(layer, HttpLayer) or id(layer) in seen:
            continue
        seen.add(id(layer))
        for stream in layer.streams.values():
            if getattr(stream, "flow", None) is flow:
                stream.request_body_buf = buffer  # type: ignore[assignment]
                return
            layers += stream.context.layers
    raise LookupError("the request has no stream")


def set_address(server: Server, address: tuple[str, int] | None) -> None:
    """Set the address of an open connection too, which its setter refuses."""
    server.__dict__["address"] = address


def cut(flow: HTTPFlow) -> None:
    """End *flow*, wherever it is: it does not leave, nor is its answer waited for."""
    flow.resume()
    if flow.killable:
        flow.kill()
    abort(flow.client_conn, flow.server_conn)


def abort(client: Client, connection: Connection) -> None:
    """
    Cut *connection* at once, without waiting for its hooks; may be called again.

    mitmproxy ends a connection by cancelling the task that reads from it. Where
    that task is just then waiting for its turn to hand on what it read, it dies
    without closing the socket, and a client that is sending would send for ever.
    """
    handler = connection_handler(client)
    io = handler.transports.get(connection) if handler else None
    if io is not None and io.writer is not None:
        io.writer.close()


def after_resume(flow: HTTPFlow, check: Callable[[], None]) -> None:
    """
    Call *check*, which must not raise, when the intercepted *flow* was resumed.

    An edit in a user interface happens after the last hook: mitmproxy awaits
    `wait_for_resume()` and then sends what is there.
    """
    original: Callable[[], Awaitable[None]] = flow.wait_for_resume

    async def wait_for_resume() -> None:
        if flow.intercepted:
            await original()
            check()

    flow.__dict__["wait_for_resume"] = wait_for_resume


def drop_backup(flow: Flow) -> None:
    """Forget the state from before an edit."""
    flow.__dict__["_backup"] = None


def take_body(flow: HTTPFlow, message: Message) -> bytes | None:
    """
    Take the body out of *message* until its hook is over, and return it.

    No addon after ours sees it then, nor saves it: mitmproxy awaits
    `wait_for_resume()` behind them all, and then sends what is there. That of a
    request which was answered meanwhile is not put back.
    """
    body = message.data.content
    message.data.content = None
    original: Callable[[], Awaitable[None]] = flow.wait_for_resume

    async def wait_for_resume() -> None:
        flow.__dict__.pop("wait_for_resume", None)
        await original()
        leaves = message is flow.response or flow.response is None
        if leaves and message.data.content is None:  # else somebody wrote another
            message.data.content = body

    flow.__dict__["wait_for_resume"] = wait_for_resume
    return body


def when_answered(flow: HTTPFlow, do: Callable[[], None]) -> None:
    """
    Call *do*, which must not raise, soon after the answer of *flow* was sent.

    There is no hook for it: mitmproxy ends `live` when it has read what it sends.
    """
    loop = asyncio.get_running_loop()

    def look() -> None:
        if flow.live:
            loop.call_later(_LOOK_EVERY, look)
        else:
            do()

    loop.call_soon(look)


def forget_backups(flow: HTTPFlow) -> None:
    """Take the bodies out of the states from before an edit, saved with the flow."""
    state = backup_of(flow)
    while isinstance(state, dict):
        for part in (state.get("request"), state.get("response")):
            if part is not None:
                part["content"] = None
        state = state.get("backup")


def backup_of(flow: HTTPFlow) -> dict[str, Any] | None:
    """Return the saved state from before an edit; it is part of saved flows."""
    backup = getattr(flow, "_backup", None)
    return backup if isinstance(backup, dict) else None
