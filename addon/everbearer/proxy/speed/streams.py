"""
What the parts of an HTTP layer ask of each other, the most frequent first.

mitmproxy asks of each command whether it is of one kind after the other, and has
those that every request has many times at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    HttpLayer,
    ReceiveHttp,
    RegisterHttpConnection,
    RequestHeaders,
    SendHttp,
)

if TYPE_CHECKING:
    from mitmproxy.proxy.events import Event
    from mitmproxy.proxy.layer import CommandGenerator, Layer


def event_to_child(
    self: HttpLayer, child: Layer, event: Event
) -> CommandGenerator[None]:
    """Have a connection or a stream handle *event*, and the others what it asks for."""
    for command in child.handle_event(event):
        if isinstance(command, commands.SendData):
            yield command
        elif isinstance(command, ReceiveHttp):
            if isinstance(command.event, RequestHeaders):
                yield from self.make_stream(command.event.stream_id)
            stream = self.streams.get(command.event.stream_id)
            # What comes for a stream that has ended is for nobody.
            if stream is not None:
                yield from self.event_to_child(stream, command.event)
        elif isinstance(command, SendHttp):
            connection = self.connections[command.connection]
            yield from self.event_to_child(connection, command.event)
        else:
            yield from _other(self, child, command)


def _other(
    layer: HttpLayer, child: Layer, command: commands.Command
) -> CommandGenerator[None]:
    # The answer to one that blocks has to find its way back.
    if command.blocking or isinstance(command, commands.RequestWakeup):
        layer.command_sources[command] = child
    if isinstance(command, DropStream):
        layer.streams.pop(command.stream_id, None)
    elif isinstance(command, GetHttpConnection):
        yield from layer.get_connection(command)
    elif isinstance(command, RegisterHttpConnection):
        yield from layer.register_connection(command)
    else:
        if isinstance(command, commands.OpenConnection):
            layer.connections[command.connection] = child
        yield command


def replace() -> None:
    """Put this in mitmproxy's place, for this process."""
    HttpLayer.event_to_child = event_to_child  # type: ignore[method-assign]
