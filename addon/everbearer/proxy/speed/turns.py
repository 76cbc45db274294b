"""
What follows from an event, done in one go.

mitmproxy hands each hook to a task of its own, and what follows a hook waits for
another turn of the event loop, although most hooks are over at once; head and body
of a message are sent one after the other. Here what follows a hook that was over
when it was started follows at once, and what is sent to one connection without
anything in between is sent together. What comes before what stays as it was.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import flow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.proxy.tunnel import TunnelState
from mitmproxy.utils import asyncio_utils

from everbearer.proxy import internals
from everbearer.proxy.speed.hooks import HookIndex

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from mitmproxy.connection import Connection

    type Steps = Generator[commands.Command, Any, None]

AT_ONCE: Final = 8
"""Hooks that follow each other before other connections have their turn."""

TOGETHER: Final = 64 * 1024
"""Bytes up to which pieces are joined: of more a copy costs more than it saves."""

_event_to_child: Final = TLSLayer.event_to_child

_BEGUN: Final = "_everbearer_begun"
"""Where a handler has the hook that is just being started."""


async def server_event(self: ConnectionHandler, event: events.Event) -> None:
    """Have the layers handle *event* and what follows from it."""
    async with self._server_event_lock:
        # No `await` beyond this point, as in mitmproxy's.
        todo = deque([event])
        hooks_left = AT_ONCE
        while todo:
            self.timeout_watchdog.register_activity()
            unsent = _Unsent(self)
            try:
                try:
                    for command in self.layer.handle_event(todo.popleft()):
                        if isinstance(command, commands.SendData):
                            unsent.add(command)
                            continue
                        if unsent.connection is not None:
                            unsent.send()
                        if isinstance(command, commands.StartHook):
                            if _start(self, command, at_once=hooks_left > 0):
                                todo.append(events.HookCompleted(command))
                            hooks_left -= 1
                        else:
                            _do(self, command)
                finally:
                    if unsent.connection is not None:
                        unsent.send()
            except Exception:
                self.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)


async def hook_task(self: ConnectionHandler, hook: commands.StartHook) -> None:
    """Run a hook; who has started it goes on, unless it takes time."""
    await _hook_task(self, hook, self.handle_hook(hook))


async def _hook_task(
    self: ConnectionHandler, hook: commands.StartHook, rest: Coroutine[Any, Any, None]
) -> None:
    await rest
    if hook.blocking:
        own = vars(self)
        if own.get(_BEGUN) is hook:
            own[_BEGUN] = None
        else:
            await self.server_event(events.HookCompleted(hook))


def _start(self: ConnectionHandler, hook: commands.StartHook, *, at_once: bool) -> bool:
    """Start a hook; tell whether it is over, and what follows is to be done."""
    begins_here = at_once and hook.blocking
    rest = None
    if begins_here and isinstance(self, ProxyConnectionHandler):
        manager = self.master.addons
        if isinstance(manager, HookIndex) and manager.is_familiar(hook.name):
            rest = _begin(self, manager, hook)
            if rest is None:
                return True
    own = vars(self)
    own[_BEGUN] = begun = hook if begins_here else None
    asyncio_utils.create_task(
        self.hook_task(hook) if rest is None else _hook_task(self, hook, rest),
        name=f"handle_hook({hook.name})",
        keep_ref=True,
        client=self.client.peername,
    )
    over = begun is not None and own[_BEGUN] is None
    own[_BEGUN] = None
    return over


def _begin(
    self: ProxyConnectionHandler, manager: HookIndex, hook: commands.StartHook
) -> Coroutine[Any, Any, None] | None:
    """
    Do what `handle_hook` does until somebody waits; return the rest.

    In no task of its own: only mitmproxy's addons and ours are called, none of which
    asks for its task before it waits.
    """
    try:
        (data,) = hook.args()
        rest = manager.begin(hook)
    except BaseException as error:
        return _failed(error)
    if rest is None and not (isinstance(data, flow.Flow) and _waits(data)):
        return None
    return _finish(self, rest, data)


async def _finish(
    self: ProxyConnectionHandler, rest: Coroutine[Any, Any, None] | None, data: object
) -> None:
    with self.timeout_watchdog.disarm():
        if rest is not None:
            await rest
        if isinstance(data, flow.Flow):
            await data.wait_for_resume()


async def _failed(error: BaseException) -> None:
    raise error


def _waits(data: flow.Flow) -> bool:
    """Tell whether `wait_for_resume` has anything to do."""
    own = vars(data).get("wait_for_resume")
    return data.intercepted or not (
        own is None or getattr(own, internals.ONLY_INTERCEPTED, False)
    )


def _do(self: ConnectionHandler, command: commands.Command) -> None:
    """Do any other command, as mitmproxy's own does."""
    if isinstance(command, commands.OpenConnection):
        assert command.connection not in self.transports
        handler = asyncio_utils.create_task(
            self.open_connection(command),
            name=f"server connection handler {command.connection.address}",
            keep_ref=False,
            client=self.client.peername,
        )
        self.transports[command.connection] = ConnectionIO(handler=handler)
    elif isinstance(command, commands.RequestWakeup):
        task = asyncio_utils.create_task(
            self.wakeup(command),
            name=f"wakeup timer ({command.delay:.1f}s)",
            keep_ref=False,
            client=self.client.peername,
        )
        assert task is not None
        self.wakeup_timer.add(task)
    elif isinstance(command, commands.ConnectionCommand):
        if command.connection not in self.transports:
            pass  # it has been closed already
        elif isinstance(command, commands.CloseTcpConnection):
            self.close_connection(command.connection, command.half_close)
        elif isinstance(command, commands.CloseConnection):
            self.close_connection(command.connection)
        else:
            raise _unexpected(command)
    elif isinstance(command, commands.Log):
        self.log(command.message, command.level)
    else:
        raise _unexpected(command)


def _unexpected(command: commands.Command) -> RuntimeError:
    return RuntimeError(f"Unexpected command: {command}")


class _Unsent:
    """What is to be sent to one connection, until something else is to be done."""

    __slots__ = ("_handler", "_length", "_pieces", "connection")

    def __init__(self, handler: ConnectionHandler) -> None:
        self._handler = handler
        self._pieces: list[bytes] = []
        self._length = 0
        self.connection: Connection | None = None

    def add(self, command: commands.SendData) -> None:
        """Send *command* with what comes next, or now."""
        if self.connection is not None and (
            self.connection is not command.connection
            or self._length + len(command.data) > TOGETHER
            # What is one datagram stays one.
            or command.connection.transport_protocol != "tcp"
        ):
            self.send()
        self.connection = command.connection
        self._pieces.append(command.data)
        self._length += len(command.data)

    def send(self) -> None:
        """Send what there is."""
        assert self.connection is not None
        io = self._handler.transports.get(self.connection)
        pieces, self._pieces = self._pieces, []
        self.connection, self._length = None, 0
        if io is None:
            return  # it has been closed already
        writer = io.writer
        assert writer
        if not writer.is_closing():
            writer.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))


def event_to_child(self: TLSLayer, event: events.Event) -> Steps:
    """Have what is inside TLS handle *event*; encrypt in one piece what it sends."""
    if self.tunnel_state is TunnelState.ESTABLISHING or self.is_dtls:
        yield from _event_to_child(self, event)
        return
    pieces: list[bytes] = []
    length = 0
    try:
        for command in self.child_layer.handle_event(event):
            if (
                isinstance(command, commands.SendData)
                and command.connection is self.conn
                and length + len(command.data) <= TOGETHER
            ):
                pieces.append(command.data)
                length += len(command.data)
                continue
            if pieces:
                whole, pieces, length = b"".join(pieces), [], 0
                yield from self.send_data(whole)
            yield from self._handle_command(command)
    except Exception:
        if pieces:
            yield from self.send_data(b"".join(pieces))
        raise
    if pieces:
        yield from self.send_data(b"".join(pieces))


def replace() -> None:
    """Put these in mitmproxy's place, for this process."""
    TLSLayer.event_to_child = event_to_child  # type: ignore[assignment, method-assign]
    ConnectionHandler.server_event = server_event  # type: ignore[method-assign]
    ConnectionHandler.hook_task = hook_task  # type: ignore[method-assign]
