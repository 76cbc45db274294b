"""An event → the line that tells of it. A line holds no more than its event."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import lru_cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from everbearer.events import (
    AuditLinesLost,
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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from everbearer.events import Event

_DELETE: Final = "\x7f"
"""The one character of ASCII that JSON leaves as it is and a terminal does not."""

_UNUSUAL: Final = re.compile("[^ -~]")

VERSION: Final = 1
"""A member that is renamed, goes, or means something else takes another version."""

SCHEMA: Final[Mapping[type, tuple[str, tuple[str, ...]]]] = {
    Exchanged: (
        "request",
        (
            *("client", "user", "method", "host", "path", "profile"),
            *("verdict", "code", "rule", "note", "token"),
            *("status", "replayed", "duration"),
            *("id", "reason", "rejected", "challenge", "port"),
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
    AuditLinesLost: ("lines_lost", ("count",)),
}
"""By event: its name in the file, and its members beside `v`, `at` and `event`."""


class _Form(NamedTuple):
    """What can be found out of a kind's lines before there is one."""

    text: str  # without its end, with a place for each value
    read: Callable[[Event], Sequence[Any]]
    told: tuple[tuple[int, Callable[[Any], Any]], ...]  # by place: told otherwise


def line_of(event: Event) -> bytes:
    """
    Return the line of *event*, its end included.

    Times are RFC 3339 in UTC, null for none; durations are seconds.
    """
    text, read, told = _FORMS[type(event)]
    values = [_time(event.at), *read(event)]
    for place, tell in told:
        values[place] = tell(values[place])
    # Each request has a line, of little but text.
    shown = [encode_basestring(x) if type(x) is str else _other(x) for x in values]
    line = text % tuple(shown)
    if not line.isascii() or _DELETE in line:
        line = _shown(line)
    return line.encode() + b"\n"


def _shown(line: str) -> str:
    """
    Escape what would not be seen as it is: a terminal obeys it, a line ends at it.

    What is no text, which clients may send, is not printable either.
    """
    return _UNUSUAL.sub(_seen, line)


def _seen(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex("u", 2)
    return "\\u" + units.replace("u", "\\u")


def _other(value: object) -> str:
    """Return as JSON what is no text."""
    return _PLAIN.get(type(value), _encode)(value)


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_PLAIN: Final[Mapping[type, Callable[[Any], str]]] = {
    bool: {False: "false", True: "true"}.__getitem__,
    int: int.__repr__,
    float: float.__repr__,
}
"""As JSON has them, at a tenth of what its encoder takes to begin."""


def _seconds(duration: float) -> float:
    return round(duration, 6)


def _moment(at: float) -> str | None:
    return _time(at) if at else None


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


_TOLD: Final[Mapping[str, Callable[[Any], Any]]] = {
    "duration": _seconds,
    "expires_at": _moment,
    "retry_at": _moment,
    "ends_at": _moment,
}


def _text(name: str, members: Iterable[str]) -> str:
    places = "".join(f',"{member}":%s' for member in members)
    return f'{{"v":{VERSION},"at":%s,"event":"{name}"{places}}}'


def _form(name: str, members: Sequence[str]) -> _Form:
    read = attrgetter(*members)
    told = [(n, _TOLD[x]) for n, x in enumerate(members, 1) if x in _TOLD]
    return _Form(
        _text(name, members),
        read if len(members) > 1 else lambda event: (read(event),),
        tuple(told),
    )


_FORMS: Final = {kind: _form(*named) for kind, named in SCHEMA.items()}
