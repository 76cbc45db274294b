"""What is told of a request when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error

from everbearer.events import Exchanged
from everbearer.policy.hosts import NOWHERE
from everbearer.policy.told import WHY, cut, told
from everbearer.policy.verdict import Inject, Pass

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.policy.verdict import Verdict
    from everbearer.policy.view import RequestView
    from everbearer.proxy.notes import Note

_UNMATCHED: Final = "unmatched"
_LEFT: Final = "Client disconnected."  # mitmproxy's words
_BAD_GATEWAY: Final = 502


def is_unmatched(verdict: Verdict | None) -> bool:
    """
    Tell whether no rule names the host: then nothing is changed.

    Nor is it told, unless the request was refused.
    """
    return isinstance(verdict, Pass) and verdict.code == _UNMATCHED


def exchanged(note: Note, *, wall: float, now: float) -> Exchanged | None:
    """
    Return the event, None for a request that is not ours to tell of.

    *wall* is in seconds since the epoch, *now* by the clock of `note.started`.
    """
    flow, verdict, refused = note.flow, note.verdict, note.refusal
    untold = is_unmatched(verdict) and refused is None
    view = None if untold else shown_view(note)
    if verdict is None or view is None:
        return None
    credential = note.credential
    return Exchanged(
        at=wall,
        method=view.method,
        host=view.host,
        port=view.port,
        path=view.path,
        status=_status(flow),
        profile=credential.profile if credential else getattr(verdict, "profile", ""),
        verdict="refuse" if refused else type(verdict).__name__.lower(),
        code=refused.code if refused else verdict.code,
        duration=now - note.started,
        rule=verdict.rule,
        replayed=note.replayed,
        token=credential.token.fingerprint if credential else "",
        client=flow.client_conn.peername[0],
        note=cut(refused.detail, WHY) if refused else note.remark,
        user=view.user.name if view.user else "",
        probe=refused is not None and view.authorities == (NOWHERE,),
        id=flow.id,
        reason=cut(refused.detail, WHY) if refused else verdict.reason,
        hint=refused.hint if refused else "",
        rejected=note.rejected,
        challenge=note.challenge,
        spooled=note.spool.size if note.spool else 0,
        prepared=note.prepared,
        view=view,
    )


def _status(flow: HTTPFlow) -> int:
    """Return what the client gets: mitmproxy answers for a server that fails."""
    if flow.response is not None:
        return flow.response.status_code
    error, client = flow.error, flow.client_conn
    if (
        error is None
        or error.msg in {Error.KILLED_MESSAGE, _LEFT}
        or not client.state & ConnectionState.CAN_WRITE
    ):
        return 0
    # Who broke off is not told. What the client did not finish, for a server that is
    # there, was the client's own mistake, and not worth an answer.
    return _BAD_GATEWAY if flow.request.timestamp_end or _failed(flow) else 0


def _failed(flow: HTTPFlow) -> bool:
    server = flow.server_conn
    begun = server.timestamp_start is not None
    return bool(server.error) or (begun and not server.state & ConnectionState.CAN_READ)


def shown_view(note: Note) -> RequestView | None:
    """Return of the request what may be told; None where nothing was decided."""
    verdict, view = note.verdict, note.view
    if verdict is None or view is None:
        return None
    return told(view, capability=is_capability(verdict))


def is_capability(verdict: Verdict) -> bool:
    """Tell whether the path of such a request is, or may be, a credential."""
    return not isinstance(verdict, Inject) and verdict.capability
