"""An event → the line that tells of it. A line holds no more than its event."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from everbearer.events import (
    ClientRedeemed,
    ConfigurationChanged,
    DefaultChosen,
    EmergencyCopy,
    Exchanged,
    GrantEnding,
    RenewalFailed,
    Renewed,
    Replayed,
    SaveFailed,
    TokenRequested,
    TokensDeleted,
    UserRefused,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from everbearer.events import Event

VERSION: Final = 1
"""A member that is renamed, goes, or means something else takes another version."""

SCHEMA: Final[Mapping[type, tuple[str, tuple[str, ...]]]] = {
    Exchanged: (
        "request",
        (
            *("client", "user", "method", "host", "path", "profile"),
            *("verdict", "code", "rule", "note", "token"),
            *("status", "replayed", "duration"),
            *("id", "reason", "rejected", "challenge"),
        ),
    ),
    UserRefused: ("user_refused", ("client", "code", "message")),
    Replayed: (
        "replay",
        ("profile", "method", "host", "path", "status", "learned", "duration", "id"),
    ),
    TokenRequested: ("token_request", ("profile", "url", "status", "code", "duration")),
    Renewed: (
        "renewal",
        ("profile", "cause", "token", "expires_at", "shared", "duration"),
    ),
    RenewalFailed: (
        "renewal_failed",
        ("profile", "cause", "code", "message", "retry_at"),
    ),
    ClientRedeemed: (
        "client_redeem",
        ("profile", "outcome", "message", "token", "expires_at"),
    ),
    TokensDeleted: ("logout", ("profile", "revoked")),
    GrantEnding: ("grant_ending", ("profile", "ends_at")),
    SaveFailed: ("save_failed", ("profile", "message", "rescued")),
    EmergencyCopy: ("emergency_copy", ("profile", "message")),
    DefaultChosen: ("default_chosen", ("profile",)),
    ConfigurationChanged: ("configuration", ("source", "problems", "needs_restart")),
}
"""By event: its name in the file, and its members beside `v`, `at` and `event`."""

_TIMES: Final = frozenset({"expires_at", "retry_at", "ends_at"})


def line_of(event: Event) -> bytes:
    """
    Return the line of *event*, its end included.

    Times are RFC 3339 in UTC, null for none; durations are seconds.
    """
    name, members = SCHEMA[type(event)]
    told = ((member, _told(member, getattr(event, member))) for member in members)
    return _line(event.at, name, told)


def gap(at: float, lost: int) -> bytes:
    """Return the line in place of *lost* ones that could not be written."""
    return _line(at, "lines_lost", [("count", lost)])


def _line(at: float, name: str, told: Iterable[tuple[str, Any]]) -> bytes:
    head = {"v": VERSION, "at": _time(at), "event": name}
    text = json.dumps(head | dict(told), ensure_ascii=False, separators=(",", ":"))
    # What clients sent may hold what is no text.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _told(member: str, value: Any) -> Any:
    if member in _TIMES:
        return _time(value) if value else None
    return round(value, 6) if isinstance(value, float) else value


def _time(at: float) -> str | None:
    """Return it with milliseconds; None for what no calendar has."""
    try:
        moment = dt.datetime.fromtimestamp(at, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
