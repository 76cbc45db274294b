"""Which bodies flow as they come, and of which a copy is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.net.http import http1

from everbearer.policy.verdict import Inject, Pass
from everbearer.proxy.body import HELD, KEPT, Copy, Held, Stream, is_small
from everbearer.proxy.spool import Spool
from everbearer.proxy.streams import gather_into

if TYPE_CHECKING:
    from everbearer.proxy.notes import Note
    from everbearer.proxy.spool import Budget
    from everbearer.settings.model import ProxySettings


def stream_request(note: Note, settings: ProxySettings, budget: Budget) -> None:
    """Let a long body through as it comes, with a copy if it may be sent again."""
    flow = note.flow
    length = note.view.body_length if note.view else None
    if is_small(length) and not _is_private(note) and not _may_be_unframed(note):
        flow.request.stream = False
        return
    limit = settings.replay_body_limit
    if _may_be_replayed(note) and (length is None or length <= limit):
        note.spool = Spool(limit, budget)
    flow.request.stream = Stream(flow, note.spool)


def hold_request(note: Note, settings: ProxySettings, budget: Budget) -> None:
    """
    Keep a request back until its whole body is there.

    The body goes to a spool; one that the spool cannot keep is read to its end
    and dropped, so that the client can be told.
    """
    flow, limit = note.flow, settings.replay_body_limit
    length = note.view.body_length if note.view else None
    # Of a body that is announced as too long nothing need be kept.
    note.spool = Spool(0 if length is not None and length > limit else limit, budget)
    flow.request.stream = False
    gather_into(flow, Held(note.spool))


def stream_answer(note: Note, *, keep_copy: bool) -> None:
    """
    Let an answer through as it comes, unless it is short and of known length.

    *keep_copy* makes answers of up to `KEPT` visible in the flow: those of known
    length are held, so that a script may change them, of others there is a copy.
    """
    response = note.flow.response
    assert response is not None
    if response.raw_content is not None:
        return  # ours, or that of a request that was sent from its spool
    length = _answer_length(note)
    if _is_private(note) or note.flow.request.timestamp_end is None:
        response.stream = True
    elif length is not None and length <= (KEPT if keep_copy else HELD):
        response.stream = False
    elif keep_copy and length is None:
        response.stream = note.answer_copy = Copy()
    else:
        response.stream = True


def hold_answer(note: Note) -> None:
    """
    Hold an answer whole, so that another can take its place.

    Not while the client is still sending, nor one that is announced as long;
    mitmproxy lets any go as soon as it turns out longer than `KEPT`.
    """
    response = note.flow.response
    assert response is not None
    length = _answer_length(note)
    announced_long = length is not None and length > KEPT
    response.stream = announced_long or note.flow.request.timestamp_end is None


def _answer_length(note: Note) -> int | None:
    """Return the length of the answer's body in bytes, None where it is unknown."""
    size = http1.expected_http_body_size(note.flow.request, note.flow.response)
    return None if size is None or size < 0 else size


def _is_private(note: Note) -> bool:
    return isinstance(note.verdict, Pass) and note.verdict.private


def _may_be_replayed(note: Note) -> bool:
    verdict = note.verdict
    return isinstance(verdict, Inject) or (
        isinstance(verdict, Pass) and verdict.heal is not None
    )


def _may_be_unframed(note: Note) -> bool:
    request = note.flow.request
    return (request.is_http2 or request.is_http3) and (
        "content-length" not in request.headers
    )
