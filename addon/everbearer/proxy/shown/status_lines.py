"""How the tokens do, a line for each profile, and what a person should do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.renewal.status import trouble_hint
from everbearer.settings.real_box import not_the_real_box
from everbearer.spans import left

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile, Settings


def status_lines(
    states: Iterable[ProfileStatus], settings: Settings, default: str
) -> Iterator[str]:
    """Yield the lines; *default* is the profile that serves who asks for none."""
    if elsewhere := not_the_real_box(settings):
        yield elsewhere
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
        hint = _here(trouble_hint(profile, state.trouble))
        yield f"{state.name}: {state.trouble.message}; {hint}"
    elif state.refresh_hint:
        yield f"{state.name}: {_here(state.refresh_hint)}"


def _here(hint: str) -> str:
    """Return it with mitmproxy's command in the place of the shell's."""
    return hint.replace("run: everbearer renew ", "run: everbearer.renew ")
