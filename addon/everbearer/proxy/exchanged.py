"""What is told of a request when it has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged
from everbearer.policy.hosts import NOWHERE
from everbearer.policy.paths import masked
from everbearer.policy.verdict import Inject, Pass

if TYPE_CHECKING:
    from everbearer.policy.verdict import Verdict
    from everbearer.proxy.notes import Note

_UNMATCHED: Final = "unmatched"


def is_unmatched(verdict: Verdict | None) -> bool:
    """Tell whether no rule names the host: then nothing is told or changed."""
    return isinstance(verdict, Pass) and verdict.code == _UNMATCHED


def exchanged(note: Note, *, wall: float, now: float) -> Exchanged | None:
    """
    Return the event, None for a request that is not ours to tell of.

    *wall* is in seconds since the epoch, *now* by the clock of `note.started`.
    """
    flow, verdict, view = note.flow, note.verdict, note.view
    if verdict is None or view is None or is_unmatched(verdict):
        return None
    refused, credential = note.refusal, note.credential
    secret = _is_capability(verdict)
    return Exchanged(
        at=wall,
        method=view.method,
        host=view.host,
        path=masked(view.path) if secret else view.path,
        status=flow.response.status_code if flow.response else 0,
        profile=credential.profile if credential else getattr(verdict, "profile", ""),
        verdict="refuse" if refused else type(verdict).__name__.lower(),
        code=refused.code if refused else verdict.code,
        duration=now - note.started,
        rule=verdict.rule,
        replayed=note.replayed,
        token=credential.token.fingerprint if credential else "",
        client=flow.client_conn.peername[0],
        note=refused.detail if refused else note.remark,
        user=view.user.name if view.user else "",
        probe=refused is not None and view.authorities == (NOWHERE,),
        id=flow.id,
        reason=refused.detail if refused else verdict.reason,
        hint=refused.hint if refused else "",
        rejected=note.rejected,
        challenge=note.challenge,
        spooled=note.spool.size if note.spool else 0,
        prepared=note.prepared,
        view=replace(view, path=masked(view.path)) if secret else view,
    )


def _is_capability(verdict: Verdict) -> bool:
    return not isinstance(verdict, Inject) and verdict.capability
