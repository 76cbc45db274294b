"""What stands where among the addons, for whoever looks at flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.proxy.shown.captions import EverbearerCaptions
from everbearer.proxy.shown.commands import EverbearerCommands
from everbearer.proxy.shown.questions import EverbearerQuestions
from everbearer.proxy.shown.token_view import EverbearerView
from everbearer.proxy.shown.told import Told
from everbearer.stories import Stories

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.broker import Broker
    from everbearer.proxy.notes import Notes


@dataclass(frozen=True, slots=True)
class Parts:
    """
    Before the hooks that decide, behind those that end a request, by themselves.

    `finish` is for the end, when the broker has stopped and nothing is saved yet.
    """

    before: tuple[object, ...]
    behind: tuple[object, ...]
    alone: tuple[object, ...]
    finish: Callable[[], Awaitable[None]]


def parts(broker: Broker, notes: Notes) -> Parts:
    """Make what is shown of one proxy."""
    questions = EverbearerQuestions(broker)
    stories = Stories()
    told = Told(stories)
    broker.subscribe(stories)
    broker.subscribe(told)
    return Parts(
        before=(questions,),
        behind=(EverbearerCaptions(broker, notes, stories),),
        alone=(EverbearerView(), EverbearerCommands(broker, told)),
        finish=questions.finish,
    )
