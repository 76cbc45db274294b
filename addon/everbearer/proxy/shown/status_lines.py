"""How the tokens do, a line for each profile, and what a person should do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.spans import left

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile, Settings


def status_lines(
    states: Iterable[ProfileStatus], settings: Settings, default: str
) -> Iterator[str]:
    """Yield the lines; *default* is the profile that serves who asks for none."""
    if led := settings.network.connect_to:
        more = f" and {len(led) - 1} more" if len(led) > 1 else ""
        where = f"{led[0].host.text}{more} to {led[0].dial}"
        yield f"NOT THE REAL BOX: connect_to leads {where}"
    for state in states:
        words = [state.name, *(["(default)"] if state.name == default else [])]
        yield f"{' '.join(words)}: {_state(state)} · {state.grant}"
        yield from _troubles(settings.profiles[state.name], state)


def _state(state: ProfileStatus) -> str:
    if not state.token:
        return "no token yet" if state.state == "none" else state.state
    known = "" if state.expires_in is None else f", {left(state.expires_in)}"
    return f"{state.state}{known} · token {state.token}"


def _troubles(profile: Profile, state: ProfileStatus) -> Iterator[str]:
    for notice in state.notices:
        yield f"{state.name}: {notice.message}; {notice.hint}"
    if state.trouble is not None:
        message = state.trouble.message
        # Nobody asks the server again before a person has done something.
        final = not state.trouble.not_before and profile.grant is not None
        hint = (
            profile.grant.reauthorize_hint(state.name, message)
            if final and profile.grant is not None
            else f"run: everbearer.renew {state.name}"
        )
        yield f"{state.name}: {message}; {hint}"
    elif state.refresh_hint:
        yield f"{state.name}: {state.refresh_hint}"
