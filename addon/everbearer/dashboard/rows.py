"""Requests as the page has them: a row each, and the story of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from everbearer.dashboard.collector import renewed

if TYPE_CHECKING:
    from everbearer.events import Exchanged, RenewalFailed, Renewed, Replayed
    from everbearer.stories import Story


def row(event: Exchanged) -> dict[str, Any]:
    """Return the line of one request; its path has no query."""
    return {
        "id": event.id,
        "at": event.at,
        "client": event.client,
        "user": event.user,
        "method": event.method,
        "host": event.where,
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


def told(story: Story) -> dict[str, Any]:
    """Return why the request went as it did."""
    event, renewal, failure = story.request, story.renewal, story.failure
    return {
        "request": row(event),
        "steps": [
            {"stage": step.stage.value, "words": step.words, "last": step.last}
            for step in story.steps
        ],
        "hint": event.hint,
        "note": event.note,
        "challenge": event.challenge,
        "rejected": event.rejected,
        "renewal": None if renewal is None else _renewal(renewal),
        "failure": None if failure is None else _failed(failure),
        "replay": None if story.replay is None else _replay(story.replay),
    }


def _renewal(event: Renewed) -> dict[str, Any]:
    return {
        "at": event.at,
        "cause": event.cause,
        "token": event.token,
        "ms": _ms(event.duration),
        "words": renewed(event),
    }


def _failed(event: RenewalFailed) -> dict[str, Any]:
    return {
        "at": event.at,
        "code": event.code,
        "message": event.message,
        "hint": event.hint,
    }


def _replay(event: Replayed) -> dict[str, Any]:
    return {
        "at": event.at,
        "status": event.status,
        "ms": _ms(event.duration),
        "learned": event.learned,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
