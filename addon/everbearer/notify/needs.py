"""
Which profiles need a person: told once, and again only after all was well.

Fed with events, and with statuses for what other processes have met. No I/O, no
clock.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.events import (
    ClientRedeemed,
    EmergencyCopy,
    GrantEnding,
    RenewalFailed,
    Renewed,
    SaveFailed,
)

if TYPE_CHECKING:
    from everbearer.events import Event
    from everbearer.renewal.status import ProfileStatus

REAUTHORIZE: Final = "reauthorization_required"
CONFIGURATION: Final = "fix_configuration"
ENDING: Final = "grant_ending"
ENDED: Final = "grant_ended"
UNSAVED: Final = "save_failed"
COPY: Final = "emergency_copy"

_BY_CODE: Final = {
    "reauthorization_required": REAUTHORIZE,
    "token_request_rejected": CONFIGURATION,
}
_BY_TROUBLE: Final = {"reauthorize": REAUTHORIZE, "configuration": CONFIGURATION}
"""By stores.contract.TroubleKind; the others pass without a person."""


@dataclass(frozen=True, slots=True)
class Need:
    """A profile needs a person; `state` is for programs, the rest for people."""

    profile: str
    state: str
    message: str
    hint: str


class Needs:
    """
    What was told and is not over.

    A renewal ends every state: a new token came, and is saved. What a person has
    done without one (a logout, say) ends none.
    """

    def __init__(self) -> None:
        self._open: dict[str, set[str]] = {}

    def hear(self, event: Event) -> Need | None:
        """Take in *event*; return what is to be told now."""
        match event:
            case Renewed() | ClientRedeemed(outcome="saved"):
                self._open.pop(event.profile, None)
            case RenewalFailed() if state := _BY_CODE.get(event.code):
                need = Need(event.profile, state, event.message, event.hint)
                return self._new(need)
            case GrantEnding():
                return self._new(_ending(event))
            case SaveFailed():
                message = f"a new token cannot be saved: {event.message}"
                return self._new(Need(event.profile, UNSAVED, message, event.hint))
            case EmergencyCopy() if event.hint:
                need = Need(event.profile, COPY, event.message, event.hint)
                return self._new(need)
        return None

    def see(self, status: ProfileStatus, at: float) -> tuple[Need, ...]:
        """
        Take in what the store says at *at*; return what is to be told now.

        Another process may have met it, or ended it, of which no event came here.
        """
        found = []
        trouble = status.trouble
        state = _BY_TROUBLE.get(trouble.kind.value) if trouble else None
        if trouble is not None and state is not None:
            found.append(Need(status.name, state, trouble.message, trouble.hint))
        elif status.state == "fresh":
            self._over(status.name, REAUTHORIZE, CONFIGURATION)
        if status.refresh_ends_at is not None and status.refresh_hint:
            ends = status.refresh_ends_at, status.refresh_hint
            found.append(_ending(GrantEnding(at, status.name, *ends)))
        else:
            self._over(status.name, ENDING, ENDED)
        if not status.notices:
            self._over(status.name, UNSAVED, COPY)
        return tuple(need for need in found if self._new(need))

    def _new(self, need: Need) -> Need | None:
        states = self._open.setdefault(need.profile, set())
        if need.state in states:
            return None
        states.add(need.state)
        return need

    def _over(self, profile: str, *states: str) -> None:
        self._open.get(profile, set()).difference_update(states)


def _ending(event: GrantEnding) -> Need:
    day = dt.datetime.fromtimestamp(event.ends_at, dt.UTC).date().isoformat()
    if event.ends_at <= event.at:
        return Need(
            event.profile, ENDED, f"the refresh token ended on {day}", event.hint
        )
    message = f"the refresh token ends on {day} unless it is renewed"
    return Need(event.profile, ENDING, message, event.hint)
