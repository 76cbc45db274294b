"""
mitmproxy's layers, run by loops that Python runs in one go.

mitmproxy takes the commands of a layer one by one by `next` and `send`, each of
which has the interpreter call itself; a `for` over a generator does not.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from mitmproxy.proxy.layer import Layer, Paused

if TYPE_CHECKING:
    from mitmproxy.proxy.commands import Command
    from mitmproxy.proxy.events import Event
    from mitmproxy.proxy.layer import CommandGenerator

_handle_event: Final = Layer.handle_event
_process: Final[Any] = Layer._Layer__process  # type: ignore[attr-defined]  # noqa: SLF001 - what it is about


def handle_event(self: Layer, event: Event) -> CommandGenerator[None]:
    """Have a layer handle *event*, until a command blocks it."""
    if self._paused is not None or self.debug is not None:
        yield from _handle_event(self, event)
        return
    steps = self._handle_event(event)
    for command in steps:
        if command.blocking is True:
            yield _paused(self, command, steps)
            return
        yield command


def process(
    self: Layer, command_generator: CommandGenerator[Any], send: Any = None
) -> CommandGenerator[None]:
    """Have a layer go on with *send* for an answer, until a command blocks it."""
    if self.debug is not None:
        yield from _process(self, command_generator, send)
        return
    try:
        command = command_generator.send(send)
    except StopIteration:
        return
    for each in itertools.chain((command,), command_generator):
        if each.blocking is True:
            yield _paused(self, each, command_generator)
            return
        yield each


def _paused(layer: Layer, command: Command, steps: CommandGenerator[Any]) -> Command:
    # Layers around it see by this that it is taken care of.
    command.blocking = layer
    layer._paused = Paused(command, steps)  # noqa: SLF001 - as its own method does
    return command


def replace() -> None:
    """Put these in mitmproxy's place, for this process."""
    Layer.handle_event = handle_event  # type: ignore[method-assign]
    Layer._Layer__process = process  # type: ignore[attr-defined]  # noqa: SLF001
