"""Profiles as the page has them: how each one's token does, and what can be done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from everbearer.dashboard.collector import renewed
from everbearer.events import ClientRedeemed, RenewalFailed
from everbearer.oauth.freshness import ahead_of_end
from everbearer.renewal.status import trouble_hint

if TYPE_CHECKING:
    from everbearer.dashboard.collector import Collector
    from everbearer.events import Renewed
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile


type Span = tuple[float, float]
"""When a token was issued and when it ends, in seconds since the epoch."""


def shown(
    profile: Profile,
    status: ProfileStatus,
    default: str,
    known: Collector,
    span: Span | None,
) -> dict[str, Any]:
    """Return the profile; *default* serves who names none, *span* is its token's."""
    last = known.last.get(profile.name)
    return {
        "name": profile.name,
        "grant": status.grant,
        "subject": _subject(profile),
        "is_default": profile.name == default,
        "state": status.state,
        "token": status.token,
        **_times(span),
        "refresh_ends_at": status.refresh_ends_at,
        "refresh_hint": status.refresh_hint,
        "renewed_at": status.renewed_at,
        "last": None if last is None else _last(last),
        "served": known.served[profile.name],
        "trouble": None
        if status.trouble is None
        else {
            "code": status.trouble.kind.value,
            "message": status.trouble.message,
            "hint": trouble_hint(profile, status.trouble),
        },
        "notices": [
            {"message": each.message, "hint": each.hint} for each in status.notices
        ],
        "can": can(profile),
    }


def can(profile: Profile) -> dict[str, bool]:
    """Return what a person can have done with the profile here."""
    grant, ends = profile.grant, profile.endpoints
    return {
        "renew": grant is not None,
        # Where the browser comes back to another server the terminal takes what
        # the person pastes.
        "login": grant is not None
        and grant.rotates
        and bool(ends.authorize_url)
        and not ends.redirect_uri.startswith("https:"),
        "revoke": grant is not None and bool(ends.revoke_url),
    }


def span_of(profile: Profile, status: ProfileStatus, now: float) -> Span | None:
    """Return when the token was issued and when it ends; None where nobody knows."""
    left = status.expires_in
    if not status.token or left is None or not math.isfinite(left):
        return None
    end = now + left
    issued = status.renewed_at if profile.grant is not None else None
    if issued is None or issued > end:
        issued = end - max(left, profile.default_expires_in)
    return issued, end


def _times(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("issued_at", "stale_at", "expired_at", "expires_at"))
    issued, end = span
    stale, expired = ahead_of_end(end - issued)
    return {
        "issued_at": issued,
        "stale_at": end - stale,
        "expired_at": end - expired,
        "expires_at": end,
    }


def _subject(profile: Profile) -> str:
    """Return whom the token acts for, as far as the configuration knows it."""
    if profile.as_user:
        return f"as user {profile.as_user}"
    named = profile.grant is not None and not profile.grant.rotates
    return profile.key.identity if named else ""


def _last(event: Renewed | RenewalFailed | ClientRedeemed) -> dict[str, Any]:
    if isinstance(event, RenewalFailed):
        words = f"{event.code}: {event.message}"
        return {
            "at": event.at,
            "outcome": "failed",
            "cause": event.cause,
            "words": words,
        }
    if isinstance(event, ClientRedeemed):
        cause, words = "client", event.message
    else:
        cause, words = event.cause, renewed(event)
    return {"at": event.at, "outcome": "renewed", "cause": cause, "words": words}
