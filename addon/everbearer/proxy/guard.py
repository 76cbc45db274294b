"""
The last addon: nothing leaves that was not decided, nor elsewhere than decided.

It stands behind every other addon. Where the deciding hook failed so badly that
not even its own refusal worked, there is no finished note, and the request does
not leave. Where a script or a person has moved the request after it got its
token, the token is taken out and the request refused.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from everbearer.policy.verdict import Inject
from everbearer.proxy import internals
from everbearer.proxy.notes import Target
from everbearer.proxy.redact import redact
from everbearer.proxy.refusal import Refusal, kill, refuse
from everbearer.report import report

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.proxy.notes import Note, Notes

logger = logging.getLogger(__name__)

_FAILED: Final = "the last guard failed: the request does not leave"
_UNDECIDED: Final = Refusal(
    500,
    "internal_error",
    "everbearer could not decide about this request and did not let it out",
    "see the log of everbearer",
)
_MOVED: Final = Refusal(
    500,
    "request_moved",
    "the request was changed after it got its token: it would have gone elsewhere",
    "remove the script, option or edit that rewrites requests to this host",
)


class EverbearerGuard:
    """Behind every other addon; sees what is about to leave."""

    def __init__(self, broker: Broker, notes: Notes) -> None:
        self._broker = broker
        self._notes = notes

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Look at the head: a streamed request leaves right after this."""
        try:
            note = self._inspect(flow)
            if note is not None and isinstance(note.verdict, Inject):
                internals.after_resume(flow, lambda: self.request(flow))
        except BaseException as error:
            report(_FAILED, error)
            self._stop(flow, _UNDECIDED)

    def request(self, flow: HTTPFlow) -> None:
        """Look again: a request with a kept body leaves right after this."""
        try:
            self._inspect(flow)
        except BaseException as error:
            report(_FAILED, error)
            self._stop(flow, _UNDECIDED)

    def _inspect(self, flow: HTTPFlow) -> Note | None:
        note = self._notes.get(flow)
        if flow.response is not None or flow.error is not None:
            return note  # it does not leave
        if note is None or note.target is None:
            self._stop(flow, _UNDECIDED)
        elif note.awaits_body:
            if flow.request.stream or flow.request.timestamp_end is not None:
                moved = Target.of(flow) != note.target
                self._stop(flow, _MOVED if moved else _UNDECIDED)
        elif note.credential is not None and not _as_decided(flow, note):
            redact(flow, self._broker.scheme(note.credential.profile))
            logger.error(
                "a request that had got a token of %s was moved from %s to %s: "
                "the token was taken out",
                note.credential.profile,
                note.target.host,
                flow.request.data.host,
            )
            note.refusal = _MOVED
            self._stop(flow, _MOVED)
        return note

    def _stop(self, flow: HTTPFlow, refusal: Refusal) -> None:
        try:
            refuse(flow, refusal, self._broker.standing)
        except BaseException as error:
            report("a refusal failed: the connection is closed", error)
            kill(flow)


def _as_decided(flow: HTTPFlow, note: Note) -> bool:
    if Target.of(flow) != note.target:
        return False
    assert note.changes is not None
    there = [name.lower() for name, _ in flow.request.headers.fields]
    return all(there.count(name.encode()) == 1 for name, _ in note.changes.fields)
