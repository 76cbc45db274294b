"""Requests as the page has them: a row each, and the story of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from everbearer.dashboard.collector import renewed
from everbearer.policy.steps import steps

if TYPE_CHECKING:
    from everbearer.dashboard.collector import Collector
    from everbearer.events import Exchanged, RenewalFailed

_LATELY: Final = 60.0
"""Seconds before a request in which a failed renewal may be why it was refused."""


def row(event: Exchanged) -> dict[str, Any]:
    """Return the line of one request; its path has no query."""
    return {
        "id": event.id,
        "at": event.at,
        "client": event.client,
        "user": event.user,
        "method": event.method,
        "host": event.host,
        "path": event.path.partition("?")[0],
        "profile": event.profile,
        "verdict": event.verdict,
        "code": event.code,
        "reason": event.reason,
        "status": event.status,
        "replayed": event.replayed,
        "ms": _ms(event.duration),
        "token": event.token,
        "rule": event.rule,
    }


def story(event: Exchanged, known: Collector) -> dict[str, Any]:
    """Return why the request went as it did, with what of it is *known* besides."""
    return {
        "request": row(event),
        "steps": _steps(event),
        "hint": event.hint,
        "note": event.note,
        "challenge": event.challenge,
        "rejected": event.rejected,
        "renewal": _renewal(event, known),
        "failure": _failure(event, known),
        "replay": _replay(event, known),
    }


def _steps(event: Exchanged) -> list[dict[str, Any]]:
    if event.view is None:
        return []
    told = steps(
        event.view,
        code=event.code,
        reason=event.reason,
        rule=event.rule,
        profile=event.profile,
    )
    return [
        {"stage": step.stage.value, "words": step.words, "last": step.last}
        for step in told
    ]


def _renewal(event: Exchanged, known: Collector) -> dict[str, Any] | None:
    """Return the renewal that its token came from."""
    if not event.token:
        return None
    for each in reversed(known.renewals):
        if each.token == event.token and each.profile == event.profile:
            return {
                "at": each.at,
                "cause": each.cause,
                "token": each.token,
                "ms": _ms(each.duration),
                "words": renewed(each),
            }
    return None


def _failure(event: Exchanged, known: Collector) -> dict[str, Any] | None:
    """Return the failed renewal for which it has no token, or no answer but a 401."""
    unhealed = event.rejected and not event.replayed
    for each in reversed(known.failures):
        if each.profile == event.profile and each.at <= event.at:
            is_lately = each.at >= event.at - event.duration - _LATELY
            if each.code == event.code or (unhealed and is_lately):
                return _failed(each)
            return None
    return None


def _failed(event: RenewalFailed) -> dict[str, Any]:
    return {
        "at": event.at,
        "code": event.code,
        "message": event.message,
        "hint": event.hint,
    }


def _replay(event: Exchanged, known: Collector) -> dict[str, Any] | None:
    for each in reversed(known.replays):
        if each.id == event.id:
            return {
                "at": each.at,
                "status": each.status,
                "ms": _ms(each.duration),
                "learned": each.learned,
            }
    return None


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
