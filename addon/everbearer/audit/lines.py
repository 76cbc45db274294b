"""An event → the line that tells of it. A line holds no more than its event."""

from __future__ import annotations

import datetime as dt
import json
from functools import lru_cache
from operator import attrgetter
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
    from collections.abc import Mapping

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
_DURATION: Final = "duration"

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_READ: Final = {
    kind: (name, members, attrgetter(*members))
    for kind, (name, members) in SCHEMA.items()
}
"""Each request has a line: what can be found out beforehand is."""


def line_of(event: Event) -> bytes:
    """
    Return the line of *event*, its end included.

    Times are RFC 3339 in UTC, null for none; durations are seconds.
    """
    name, members, read = _READ[type(event)]
    values = read(event)
    told = dict(zip(members, values if len(members) > 1 else (values,), strict=True))
    if _DURATION in told:
        told[_DURATION] = round(told[_DURATION], 6)
    for member in _TIMES.intersection(told):
        told[member] = _time(told[member]) if told[member] else None
    return _line(event.at, name, told)


def gap(at: float, lost: int) -> bytes:
    """Return the line in place of *lost* ones that could not be written."""
    return _line(at, "lines_lost", {"count": lost})


def _line(at: float, name: str, told: Mapping[str, Any]) -> bytes:
    text = _encode({"v": VERSION, "at": _time(at), "event": name, **told})
    # What clients sent may hold what is no text.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _time(at: float) -> str | None:
    """Return it with milliseconds; None for what no calendar has."""
    try:
        second, rest = divmod(round(at * 1_000_000), 1_000_000)
        return f"{_second(second)}.{rest // 1000:03}Z"
    except (OverflowError, ValueError, OSError):
        return None


@lru_cache(maxsize=8)  # lines of one second come one after the other
def _second(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
