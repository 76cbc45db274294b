"""
Every reach into what mitmproxy does not promise, in one place.

`check()` is called at start: on a mitmproxy that lacks one of these parts
everbearer refuses to run instead of running with a gap. Each function names the
behaviour it relies on (mitmproxy 12.0 to 12.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import contentviews, ctx, types
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.contentviews import ContentviewRegistry
from mitmproxy.flow import Flow
from mitmproxy.proxy import server
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.server import ConnectionHandler

from everbearer.proxy import pressure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from mitmproxy.certs import CertStore
    from mitmproxy.connection import Client, Connection, Server
    from mitmproxy.contentviews import Contentview
    from mitmproxy.http import HTTPFlow, Message
    from mitmproxy.options import Options
    from mitmproxy_rs import Stream

_PARTS: Final[Mapping[type, tuple[str, ...]]] = {
    ContentviewRegistry: ("_by_name",),
    ConnectionHandler: (
        *("_drain_lock", "client", "drain_writers", "layer", "server_event"),
        *("timeout_watchdog", "transports", "wakeup_timer"),
    ),
    Flow: ("_backup", "wait_for_resume"),
    HttpLayer: ("streams",),
    HttpStream: ("child_layer", "request_body_buf", "state_consume_request_body"),
    Proxyserver: ("connections", "servers"),
    TlsConfig: ("certstore", "configure"),
    types.TypeManager: ("typemap",),
    **pressure.PARTS,
}
"""What is used here, in streams, pressure and replay_connection, by class."""

_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""A connection that is closed is reset, and what was not acknowledged forgotten."""

_CERTSTORE_OPTIONS: Final = {"cert_passphrase", "certs", "confdir", "key_size"}
"""What makes `TlsConfig` read its CA again."""

ONLY_INTERCEPTED: Final = "only_intercepted"
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


def show_certificates_of(tlsconfig: TlsConfig, store: CertStore) -> None:
    """
    Let mitmproxy show what *store* issues, and neither read nor make a CA.

    `TlsConfig.configure` makes `certstore` anew from the files in `confdir`
    whenever one of these options is updated; `running` calls it with a text.
    To be called before the first of them is.
    """
    original: Callable[[set[str]], None] = tlsconfig.configure

    def configure(updated: set[str] | str) -> None:
        if not isinstance(updated, str):
            original(updated - _CERTSTORE_OPTIONS)

    tlsconfig.certstore = store
    tlsconfig.__dict__["configure"] = configure


def connection_handler(client: Client) -> ConnectionHandler | None:
    """Return what reads from *client*; None for a replay, which has no client."""
    proxyserver = ctx.master.addons.get("proxyserver")
    return proxyserver.connections.get(client.id) if proxyserver else None


def clients() -> tuple[Client, ...]:
    """Return who is connected to this proxy now."""
    proxyserver = ctx.master.addons.get("proxyserver")
    connections = proxyserver.connections if proxyserver else {}
    return tuple(handler.client for handler in connections.values())


def listening() -> frozenset[tuple[str, int]]:
    """Return the addresses on which this proxy serves."""
    proxyserver = ctx.master.addons.get("proxyserver")
    servers = proxyserver.servers if proxyserver else ()
    return frozenset(each[:2] for one in servers for each in one.listen_addrs)


@contextlib.asynccontextmanager
async def reading_paused(client: Client) -> AsyncIterator[None]:
    """
    Read nothing from *client* meanwhile.

    The handler drains its writers under `_drain_lock` after each read, before
    the next: while somebody else holds that lock at most one more read (64 KiB)
    enters memory. `transport.pause_reading()` does not hold.
    """
    handler = connection_handler(client)
    # Nobody reads where a saved flow is being replayed.
    lock = handler._drain_lock if handler else contextlib.nullcontext()  # noqa: SLF001 - see above
    async with lock:
        yield


def set_address(server: Server, address: tuple[str, int] | None) -> None:
    """Set the address of an open connection too, which its setter refuses."""
    server.__dict__["address"] = address


def cut(flow: HTTPFlow) -> None:
    """
    End *flow* wherever it is, and with it all that its client's connection carries.

    Nothing of it leaves from now on. mitmproxy sees that a flow was killed between
    two hooks only, and tells nobody which server connection is being made for it:
    so all of them end, those too that wait for TCP or TLS.
    """
    flow.resume()
    if flow.killable:
        flow.kill()
    handler = connection_handler(flow.client_conn)
    for connection, io in list(handler.transports.items()) if handler else ():
        if io.writer is not None:
            if connection is not flow.client_conn:
                _forget_unsent(io.writer)
            io.writer.close()
        if io.handler is not None:
            io.handler.cancel("cut")


def _forget_unsent(writer: asyncio.StreamWriter | Stream) -> None:
    """Send nothing more, neither what is buffered here nor what is in the kernel."""
    if isinstance(writer, asyncio.StreamWriter):  # TCP; to UDP nothing is held back
        with contextlib.suppress(OSError):  # it has ended already
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()


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

    vars(wait_for_resume)[ONLY_INTERCEPTED] = True  # there is nothing to wait for else
    flow.__dict__["wait_for_resume"] = wait_for_resume


def learn_type(known: Any) -> None:
    """Let arguments of commands be of a type of ours, which `types` has a list of."""
    types.CommandTypes.typemap[known.typ] = known


def forget_view(view: Contentview) -> None:
    """Take out a content view that was added; mitmproxy knows no way back."""
    contentviews.registry._by_name.pop(view.name.lower(), None)  # noqa: SLF001 - see above


def drop_backup(flow: Flow) -> None:
    """Forget the state from before an edit."""
    flow.__dict__["_backup"] = None


def take_body(
    flow: HTTPFlow, message: Message, leaving: Callable[[], None] = lambda: None
) -> bytes | None:
    """
    Take the body out of *message* until its hook is over, and return it.

    No addon after ours sees it then, nor saves it: mitmproxy awaits
    `wait_for_resume()` behind them all, and then sends what is there. That of a
    request which was answered meanwhile is not put back. *leaving*, which must not
    raise, is called when *message* is about to be sent.
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
        if leaves:
            leaving()

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
