"""
What waits inside mitmproxy waits outside as well.

While a part of mitmproxy waits for a hook, or for a server that takes its time to
let one in, mitmproxy reads on and queues what comes: a whole upload, if the wait is
long enough. Here whoever has that much in queues is not read until they move. Like
`internals` this relies on what mitmproxy does not promise; `internals.check` knows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layer import Layer, NextLayer
from mitmproxy.proxy.layers.http import (
    HttpLayer,
    HttpStream,
    RequestData,
    ResponseData,
)
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.tunnel import TunnelLayer

from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mitmproxy.connection import Connection
    from mitmproxy.proxy.events import Event

QUEUED: Final = 64 * 1024
"""Bytes of one connection that may be queued while it is read."""

_EVENTS: Final = 1000
"""Events of which a queue is taken for full, however short they are."""

_LOOK_EVERY: Final = 0.01
"""Seconds between two looks at whether the queues have moved: nothing tells."""

PARTS: Final[Mapping[type, tuple[str, ...]]] = {
    Layer: ("_paused_event_queue",),
    NextLayer: ("events",),
    TunnelLayer: ("_event_queue",),
}
"""What holds the queues that are looked at."""

_names: Final[dict[type, tuple[str, ...]]] = {}

_drain_writers: Final = ConnectionHandler.drain_writers


async def drain_writers(self: ConnectionHandler) -> None:
    """
    Wait until what was written has left, and what was read has been taken.

    Called by each connection's task after each of its reads, before the next.
    """
    await _drain_writers(self)  # type: ignore[no-untyped-call]
    task = asyncio.current_task()
    for connection, io in self.transports.items():
        if io.handler is task:
            try:
                while is_full(self, connection):  # noqa: ASYNC110 - see `_LOOK_EVERY`
                    await asyncio.sleep(_LOOK_EVERY)
            except Exception as error:
                # Raised from here it would leave the connection open for ever.
                report("the queues of a connection could not be looked at", error)
            return


def is_full(handler: ConnectionHandler, connection: Connection) -> bool:
    """Tell whether too much of what came by *connection* waits in queues."""
    body = RequestData if connection is handler.client else ResponseData
    size = 0
    for queue in _queues(handler):
        if len(queue) > _EVENTS:
            return True
        for event in queue:
            if isinstance(event, body) or (
                isinstance(event, DataReceived) and event.connection is connection
            ):
                size += len(event.data)
    return size > QUEUED


def _queues(handler: ConnectionHandler) -> list[Collection[Event]]:
    """
    Return every queue of *handler* that is not empty.

    A connection's layers share a list of them; an HTTP layer has streams, each with
    a list that goes on from there. One that is still undecided is in no list. Each
    read comes by here, so it is done in one go.
    """
    found: list[Collection[Event]] = []
    lists: list[Sequence[Layer]] = [[handler.layer], handler.layer.context.layers]
    seen: set[Layer] = set()
    while lists:
        for layer in lists.pop():
            if layer in seen:
                continue
            seen.add(layer)
            names = _names.get(type(layer)) or _names_of(type(layer))
            found += [queue for name in names if (queue := getattr(layer, name))]
            if isinstance(layer, HttpLayer):
                lists += [stream.context.layers for stream in layer.streams.values()]
            elif isinstance(layer, HttpStream) and layer.child_layer is not None:
                lists.append([layer.child_layer])
    return found


def _names_of(kind: type[Layer]) -> tuple[str, ...]:
    """Return the names of the queues of a kind of layer, and remember them."""
    found = (names for part, names in PARTS.items() if issubclass(kind, part))
    _names[kind] = names = tuple(name for names in found for name in names)
    return names


def apply() -> None:
    """Have every connection of this process wait so; may be called again."""
    ConnectionHandler.drain_writers = drain_writers  # type: ignore[method-assign]
