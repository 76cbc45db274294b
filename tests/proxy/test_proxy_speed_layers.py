"""A layer run by our loops gives and keeps what it does run by mitmproxy's."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from mitmproxy.connection import Client
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from everbearer.proxy.speed import layers
from proxy.mitmproxys_own import OWN

STEPS = st.lists(st.sampled_from(["send", "hook", "crash"]), max_size=4)
EVENTS = st.lists(st.one_of(st.just("answer"), st.just("stray"), STEPS), max_size=12)


class Scripted(Layer):
    """Does for each event what that says, and notes the answers to its hooks."""

    def __init__(self, *, debug: bool) -> None:
        client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
        super().__init__(Context(client, Options()))
        self.debug = "" if debug else None
        self.answers: list[Any] = []

    def _handle_event(self, event: Any) -> Any:
        for step in event.steps:
            if step == "crash":
                raise ValueError(step)
            if step == "send":
                yield commands.SendData(self.context.client, b"x")
            else:
                answer = yield HttpRequestHook(tflow.tflow())
                self.answers.append(answer)


class Asked(events.Event):
    """What happens, and what the layer is to do then."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def __repr__(self) -> str:
        return f"Asked({self.steps})"


def shown(layer: Scripted, command: commands.Command) -> tuple[str, ...]:
    """Return what a layer around it sees of a command."""
    told = command.message if isinstance(command, commands.Log) else ""
    blocks = "by it" if command.blocking is layer else repr(command.blocking)
    return type(command).__name__, told, blocks


def run(script: list[Any], *, debug: bool) -> list[Any]:
    """Return all that a layer shows for so many events."""
    layer = Scripted(debug=debug)
    seen: list[Any] = []
    for number, each in enumerate(script):
        event: events.Event
        if each == "answer" and layer._paused is not None:
            command = layer._paused.command
            event = events.HookCompleted(command, number)  # type: ignore[arg-type]
        elif isinstance(each, str):
            stray = HttpRequestHook(tflow.tflow())
            event = Asked([]) if layer._paused is None else events.HookCompleted(stray)
        else:
            event = Asked(each)
        try:
            seen += [shown(layer, command) for command in layer.handle_event(event)]
        except (ValueError, AttributeError) as error:
            seen.append(type(error).__name__)
        seen.append((layer._paused is None, len(layer._paused_event_queue)))
    return [*seen, layer.answers]


@given(EVENTS, st.booleans())
def test_a_layer_does_the_same(script: list[Any], debug: bool):
    """Commands, what blocks, what is queued meanwhile, answers, errors, debug lines."""
    for name in ("handle_event", "_Layer__process"):
        setattr(Layer, name, OWN[Layer, name])
    expected = run(script, debug=debug)
    layers.replace()

    assert hidden(run(script, debug=debug)) == hidden(expected)


def hidden(seen: list[Any]) -> list[Any]:
    """Return it without where in memory things are."""
    return [
        (each[0], each[1].partition(" ")[0], each[2])
        if isinstance(each, tuple) and len(each) == 3
        else each
        for each in seen
    ]
