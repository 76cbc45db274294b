"""
The questions to authorization servers, among the flows of clients.

They go through mitmproxy's hooks as flows do that are loaded from a file, so that
every list, flow file and HAR has them in their places. Nothing of them is sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx, eventsequence, hooks

from everbearer.events import RenewalFailed, Renewed, TokenRequested, TokensDeleted
from everbearer.proxy.refusal import Refusal, kill, refuse
from everbearer.proxy.shown.caption import in_one_line
from everbearer.proxy.shown.question_flow import is_question, kind, question_flow
from everbearer.proxy.shown.telling import QUESTION, tell
from everbearer.report import report
from everbearer.spans import duration
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.events import Event

_PATIENCE: Final = 2.0
"""Seconds that a question waits for word of what came of it, which is saved first."""

_NOT_SENT: Final = Refusal(
    409,
    "question_not_repeated",
    "this flow tells of a question that everbearer asked; its secrets are marks, and"
    " the server would refuse them",
    "run the command everbearer.renew in mitmproxy; flow.revert brings this flow's"
    " answer back",
)


class EverbearerQuestions:
    """Before the hooks that decide: what is a question of ours is not a client's."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._patience = _PATIENCE
        self._waiting: dict[str, list[TokenRequested]] = {}
        self._tasks = Tasks()
        broker.subscribe(self._see)

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Refuse one that a person sends again."""
        try:
            if flow.is_replay and flow.live and is_question(flow):
                refuse(flow, _NOT_SENT, self._broker.standing)
        except BaseException as error:
            report("a question that was asked before is not sent", error)
            kill(flow)

    async def finish(self) -> None:
        """Put what still waits among the flows; for the end, before they are saved."""
        for profile in [*self._waiting]:
            self._came(profile, "", "")
        await asyncio.sleep(0)  # what is due begins
        await self._tasks.drain()

    def _see(self, event: Event) -> None:
        match event:
            case TokenRequested():
                self._waiting.setdefault(event.profile, []).append(event)
                loop = asyncio.get_running_loop()
                loop.call_later(self._patience, self._late, event)
            case Renewed(shared=False):
                good = duration(max(0.0, event.expires_at - event.at))
                self._came(event.profile, event.cause, f"good for {good}")
            case RenewalFailed():
                self._came(event.profile, event.cause, f"failed: {event.code}")
            case TokensDeleted():
                self._came(event.profile, "", "the tokens are deleted")

    def _came(self, profile: str, cause: str, outcome: str) -> None:
        """Put the questions of *profile* among the flows, the last with *outcome*."""
        waiting = self._waiting.pop(profile, [])
        for event in waiting[:-1]:
            self._put(event, cause, f"{event.status or event.code}, asked again")
        for event in waiting[-1:]:
            self._put(event, cause, outcome)

    def _late(self, event: TokenRequested) -> None:
        waiting = self._waiting.get(event.profile, [])
        if event in waiting:
            waiting.remove(event)
            self._put(event, "", "")

    def _put(self, event: TokenRequested, cause: str, outcome: str) -> None:
        why = f"cause {cause}" if cause else ""
        line = in_one_line([event.profile, kind(event), why, outcome])
        # Not now: whoever publishes must not wait for the hooks of scripts.
        asyncio.get_running_loop().call_soon(self._load_soon, event, line)

    def _load_soon(self, event: TokenRequested, line: str) -> None:
        self._tasks.spawn(_load(event, line), name="show a question")


async def _load(event: TokenRequested, line: str) -> None:
    """
    Hand a finished flow to every hook, as mitmproxy does with those of a file.

    Not by `load_flow`, which in reverse mode moves it to the listener's server.
    """
    flow = question_flow(event)
    tell(flow, line, QUESTION)
    for hook in eventsequence.iterate(flow):
        await ctx.master.addons.handle_lifecycle(hook)
    if flow.intercepted:  # there is nothing to hold back
        flow.resume()
        await ctx.master.addons.trigger_event(hooks.UpdateHook([flow]))
