"""What happened → one short line for people."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from everbearer.cli import voice
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
from everbearer.spans import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from everbearer.events import Event

_NEEDS_PERSON: Final = frozenset({"reauthorization_required", "token_request_rejected"})
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Line:
    """`level` is one of logging's; `colour` one of click's."""

    level: int
    text: str
    hint: str = ""
    colour: str | None = None


def line_of(event: Event) -> Line:
    """Return the line that tells of *event*; local time, no query, no secret."""
    told = _LINES[type(event)](event)
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    return Line(told.level, f"{at} {told.text}", told.hint, told.colour)


def teller(level: int) -> Callable[[Event], None]:
    """Return a subscriber that tells on stderr what is at least so important."""

    def tell(event: Event) -> None:
        if level > logging.INFO and is_routine(event):
            return  # each request passes here: nothing is formatted in vain
        line = line_of(event)
        if line.level >= level:
            voice.say(line.text, line.colour)
            voice.hint(line.hint)

    return tell


def is_routine(event: Event) -> bool:
    """Tell of most events that their line is below WARNING, without making it."""
    return isinstance(event, Exchanged) and event.verdict != "refuse"


def _user_refused(event: UserRefused) -> Line:
    # Many a tool sends no password before it is asked for one.
    asked = event.code == "user_required"
    return Line(
        logging.INFO if asked else logging.WARNING,
        f"{event.client} was not let in: {event.message} ({event.code})",
        colour="yellow",
    )


def _replayed(event: Replayed) -> Line:
    what = "what the server told" if event.learned else "a new token of"
    return Line(
        logging.INFO,
        f"{event.method} {event.host}{_shown(event.path)} was answered 401,"
        f" sent once more with {what} {event.profile}:"
        f" {event.status or 'no answer'} {_ms(event.duration)}",
    )


def _token_requested(event: TokenRequested) -> Line:
    answered = event.status or event.code
    return Line(
        logging.DEBUG,
        f"{event.profile}: asked {event.url}: {answered} {_ms(event.duration)}",
    )


def _default_chosen(event: DefaultChosen) -> Line:
    text = f"{event.profile} is the default from now on"
    return Line(logging.INFO, text, colour="cyan")


def _exchanged(event: Exchanged) -> Line:
    words = [
        event.method,
        f"{event.where}{_shown(event.path)}",
        str(event.status) if event.status else "closed",
        event.profile or "-",
        *([f"for {event.user}"] if event.user else []),
        event.code,
        _ms(event.duration),
    ]
    if event.replayed:
        words.append("replayed")
    if event.probe:
        words.append("(a question of everbearer's own)")
        return Line(logging.INFO, " ".join(words))
    if event.note:
        words.append(f"({event.note})")
    level = logging.INFO if is_routine(event) else logging.WARNING
    return Line(level, " ".join(words), colour=_colour(event))


def _renewed(event: Renewed) -> Line:
    how = "another process renewed" if event.shared else "renewed"
    left = duration(max(0.0, event.expires_at - event.at))
    return Line(
        logging.INFO,
        f"{event.profile}: {how} ({event.cause}), good for {left}"
        f" {_ms(event.duration)}",
        colour="cyan",
    )


def _renewal_failed(event: RenewalFailed) -> Line:
    lost = event.code in _NEEDS_PERSON
    again = ""
    if event.retry_at > event.at:
        again = f"; tried again in {duration(event.retry_at - event.at)}"
    return Line(
        logging.ERROR if lost else logging.WARNING,
        f"{event.profile}: not renewed ({event.cause}), {event.code}:"
        f" {event.message}{again}",
        event.hint,
        "red" if lost else "yellow",
    )


def _unsaved(event: SaveFailed | EmergencyCopy) -> Line:
    if isinstance(event, EmergencyCopy):
        level = logging.ERROR if event.hint else logging.WARNING
        return Line(level, f"{event.profile}: {event.message}", event.hint, "yellow")
    meanwhile = "it is lost if everbearer ends now"
    if event.rescued:
        meanwhile = f"it lies in {event.rescued} until it can"
    return Line(
        logging.ERROR,
        f"{event.profile}: the new token cannot be saved, {meanwhile}: {event.message}",
        event.hint,
        "red",
    )


def _grant_ending(event: GrantEnding | TokensDeleted) -> Line:
    if isinstance(event, TokensDeleted):
        where = "revoked and deleted" if event.revoked else "deleted here"
        return Line(logging.INFO, f"{event.profile}: its tokens are {where}")
    day = time.strftime("%Y-%m-%d", time.localtime(event.ends_at))
    over = event.ends_at <= event.at
    what = f"ended on {day}" if over else f"ends on {day} unless it is renewed"
    text = f"{event.profile}: the refresh token {what}"
    return Line(
        logging.ERROR if over else logging.WARNING,
        text,
        event.hint,
        "red" if over else "yellow",
    )


def _client_redeemed(event: ClientRedeemed) -> Line:
    text = f"{event.profile}: {event.message}"
    if event.outcome == "saved":
        left = duration(max(0.0, event.expires_at - event.at))
        return Line(logging.INFO, f"{text}, good for {left}", event.hint, "cyan")
    return Line(logging.WARNING, text, event.hint, "yellow")


def _configuration(event: ConfigurationChanged) -> Line:
    if event.problems:
        return Line(
            logging.ERROR,
            f"{event.source} cannot be used, the old configuration stays in force:"
            f" {' | '.join(event.problems)}",
            "correct it, and it takes over by itself",
            "red",
        )
    if event.needs_restart:
        parts = ", ".join(event.needs_restart)
        return Line(
            logging.WARNING,
            f"{event.source} is in force, but for: {parts}",
            "restart everbearer for these",
            "yellow",
        )
    return Line(logging.INFO, f"{event.source} is in force", colour="cyan")


def _lines_lost(event: AuditLinesLost) -> Line:
    # The log tells people by itself, whatever else they are told of.
    return Line(logging.DEBUG, f"lines of the audit log that are lost: {event.count}")


def _shown(path: str) -> str:
    return path.partition("?")[0]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _colour(event: Exchanged) -> str:
    if event.verdict == "refuse" or event.status >= _SERVER_ERROR or not event.status:
        return "red"
    return "yellow" if event.status >= _CLIENT_ERROR else "green"


_LINES: Final[Mapping[type, Callable[[Any], Line]]] = {
    Exchanged: _exchanged,
    UserRefused: _user_refused,
    Replayed: _replayed,
    TokenRequested: _token_requested,
    Renewed: _renewed,
    RenewalFailed: _renewal_failed,
    ClientRedeemed: _client_redeemed,
    TokensDeleted: _grant_ending,
    GrantEnding: _grant_ending,
    SaveFailed: _unsaved,
    EmergencyCopy: _unsaved,
    DefaultChosen: _default_chosen,
    ConfigurationChanged: _configuration,
    AuditLinesLost: _lines_lost,
}
"""By event: how it is told."""
