"""What is wrong now, the worst first, each with what mends it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from everbearer.dashboard.profiles import can
from everbearer.events import RenewalFailed
from everbearer.renewal.status import trouble_hint
from everbearer.stores.contract import TroubleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from everbearer.dashboard.collector import Collector
    from everbearer.errors import EverbearerError
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile, Settings, Standing

_LAST_WORDS: Final = {TroubleKind.REAUTHORIZE, TroubleKind.CONFIGURATION}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that a person should know; `action` is what the page offers."""

    level: str  # "error" or "warning"
    text: str
    hint: str = ""
    profile: str = ""
    action: str = ""  # "login", "renew"
    since: float | None = None

    def shown(self, standing: Standing) -> dict[str, Any]:
        """Return it as the page has it, the configuration named in its commands."""
        return {
            "level": self.level,
            "profile": self.profile,
            "text": standing.in_full(self.text),
            "hint": standing.in_full(self.hint),
            "action": self.action,
            "since": self.since,
        }


def troubles(
    settings: Settings,
    standing: Standing,
    statuses: Iterable[ProfileStatus],
    known: Collector,
    unread: EverbearerError | None,
) -> list[Trouble]:
    """
    Return what is wrong, errors first.

    *unread* is why the profiles' states cannot be read, if they cannot.
    """
    found = [*_of_configuration(standing, known)]
    if unread is not None:
        found.append(Trouble("error", unread.message, unread.hint))
    for status in statuses:
        if (profile := settings.profiles.get(status.name)) is not None:
            found += _of_profile(profile, status, known)
    if known.lost:
        found.append(
            Trouble(
                "warning",
                f"{known.lost} events of other workers did not arrive: what is shown"
                " and counted lacks them",
                "more workers than this page can follow, or one was being replaced;"
                " the audit log has them all",
            )
        )
    return sorted(found, key=lambda each: each.level != "error")


def _of_configuration(standing: Standing, known: Collector) -> Iterator[Trouble]:
    event = known.configuration
    since = event.at if event else None
    for problem in standing.problems:
        yield Trouble(
            "error",
            f"the configuration cannot be used, the old one stays in force: {problem}",
            "correct it, and it takes over by itself",
            since=since,
        )
    if event and event.needs_restart and not standing.problems:
        parts = ", ".join(event.needs_restart)
        yield Trouble(
            "warning",
            f"the configuration is in force, but for: {parts}",
            "restart everbearer for these",
            since=since,
        )


def _of_profile(
    profile: Profile, status: ProfileStatus, known: Collector
) -> Iterator[Trouble]:
    name = profile.name
    allowed = can(profile)
    last = known.last.get(name)
    if (trouble := status.trouble) is not None:
        is_last_word = trouble.kind in _LAST_WORDS
        wants_login = trouble.kind is TroubleKind.REAUTHORIZE and allowed["login"]
        yield Trouble(
            "error"
            if is_last_word or status.state in {"none", "expired", "dead"}
            else "warning",
            f"{name}: {trouble.message}",
            trouble_hint(profile, trouble),
            name,
            "login" if wants_login else "renew",
            trouble.since,
        )
    elif isinstance(last, RenewalFailed):
        yield Trouble(
            "warning",
            f"{name}: not renewed: {last.message}",
            last.hint,
            name,
            "renew" if allowed["renew"] else "",
            last.at,
        )
    elif status.state == "dead":
        yield Trouble(
            "error",
            f"{name}: the server has refused the token",
            f"run: everbearer renew {name}"
            if allowed["renew"]
            else "make a new one in the provider's developer console, and put it into"
            " the configuration",
            name,
            "renew" if allowed["renew"] else "",
        )
    unsaved = known.unsaved.get(name)
    for notice in status.notices:
        yield Trouble(
            "error",
            f"{name}: {notice.message}",
            notice.hint,
            name,
            since=unsaved.at if unsaved else None,
        )
    if unsaved is not None and not status.notices:
        yield Trouble(
            "error",
            f"{name}: the new token cannot be saved: {unsaved.message}",
            unsaved.hint,
            name,
            since=unsaved.at,
        )
    if status.refresh_hint and status.trouble is None:
        day = time.strftime("%Y-%m-%d", time.localtime(status.refresh_ends_at))
        yield Trouble(
            "warning",
            f"{name}: the refresh token ends on {day} unless it is renewed",
            status.refresh_hint,
            name,
            "renew" if "renew" in status.refresh_hint else "login",
        )
