"""
What waits inside mitmproxy waits outside as well.

While a part of mitmproxy waits for a hook, or for a server that takes its time to
let one in, mitmproxy reads on and queues what comes: a whole upload, if the wait is
long enough. Here whoever has that much in queues is not read until they move. Like
`internals` this relies on what mitmproxy does not promise; `internals.check` knows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layer import Layer, NextLayer
from mitmproxy.proxy.layers.http import (
    HttpLayer,
    HttpStream,
    RequestData,
    ResponseData,
)
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.proxy.tunnel import TunnelLayer

from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

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

_drain_writers: Final = ConnectionHandler.drain_writers


async def drain_writers(self: ConnectionHandler) -> None:
    """
    Wait until what was written has left, and what was read has been taken.

    Called by each connection's task after each of its reads, before the next.
    """
    # Who holds the lock wants nothing to be read: see `internals.reading_paused`.
    held = self._drain_lock.locked()
    if held or any(map(_is_behind, self.transports.values())):
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


def _is_behind(io: ConnectionIO) -> bool:
    """Tell whether a connection's `drain` may have anything to do."""
    reader, writer = io.reader, io.writer
    if not isinstance(reader, asyncio.StreamReader):
        return True
    if not isinstance(writer, asyncio.StreamWriter):
        return writer is not None
    transport = writer.transport
    return (
        transport.get_write_buffer_size() > 0
        or transport.is_closing()
        or reader.exception() is not None
    )


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
            kind = _kinds.get(type(layer)) or _kind_of(type(layer))
            found += [q for name in kind.queues if (q := getattr(layer, name))]
            if kind.more is not None:
                lists += kind.more(layer)
    return found


class _Kind(NamedTuple):
    """A kind of layer: what holds its queues, and where it leads to."""

    queues: tuple[str, ...]
    more: Callable[[Any], list[Sequence[Layer]]] | None


_kinds: Final[dict[type[Layer], _Kind]] = {}


def _kind_of(kind: type[Layer]) -> _Kind:
    """Return what is known of a kind of layer, and remember it."""
    found = (names for part, names in PARTS.items() if issubclass(kind, part))
    more = next((of for part, of in _LEADS_TO.items() if issubclass(kind, part)), None)
    queues = tuple(name for names in found for name in names)
    _kinds[kind] = made = _Kind(queues, more)
    return made


def _of_streams(layer: HttpLayer) -> list[Sequence[Layer]]:
    return [stream.context.layers for stream in layer.streams.values()]


def _of_child(layer: HttpStream) -> list[Sequence[Layer]]:
    return [] if layer.child_layer is None else [[layer.child_layer]]


_LEADS_TO: Final[Mapping[type, Callable[[Any], list[Sequence[Layer]]]]] = {
    HttpLayer: _of_streams,
    HttpStream: _of_child,
}


def apply() -> None:
    """Have every connection of this process wait so; may be called again."""
    ConnectionHandler.drain_writers = drain_writers  # type: ignore[method-assign]
