"""What `status` shows of each profile, as a table that a person likes to read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from everbearer.cli import voice
from everbearer.oauth.grants.refresh_token import NOBODY
from everbearer.spans import duration
from everbearer.stores.contract import TroubleKind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions

    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile, Settings

_COLOURS: Final = {"fresh": "green", "stale": "yellow", "expired": "red", "dead": "red"}
_COLUMNS: Final = (
    "profile",
    "grant",
    "subject",
    "state",
    "left",
    "refresh token",
    "last renewal",
    "served",
)
_UNLIMITED: Final = 10_000
"""Columns: wider than any terminal."""

_ABOVE: Final = ("profile", "grant", "state", "left", "served")
_BENEATH: Final = ("profile", "subject", "refresh token", "last renewal")


@dataclass(frozen=True, slots=True)
class Overview:
    """
    A line for each profile; where that has no room, one in each of two tables.

    Every column is shown at any width; *now* is in seconds since the epoch.
    *served* are the requests of the proxies that run, None where none does.
    """

    settings: Settings
    states: Sequence[ProfileStatus]
    served: Counter[str] | None
    now: float

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Table | str]:
        """Return what the console has room for."""
        whole = self._table(_COLUMNS)
        unlimited = options.update(max_width=_UNLIMITED)
        if Measurement.get(console, unlimited, whole).maximum <= options.max_width:
            yield whole
            return
        yield self._table(_ABOVE)
        yield ""
        yield self._table(_BENEATH)

    def _table(self, columns: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # Where even two tables have no room nothing is cut off.
            table.add_column(column, overflow="fold")
        for state in self.states:
            cells = self._cells(state)
            table.add_row(*(cells[column] for column in columns))
        return table

    def _cells(self, state: ProfileStatus) -> dict[str, Text]:
        whose = subject(self.settings.profiles[state.name])
        ends_in, served = state.expires_in, self.served
        return {
            "profile": Text(voice.printable(state.name)),
            "grant": Text(state.grant),
            "subject": Text(voice.printable(whose or "-")),
            "state": Text(state.state, _COLOURS.get(state.state, "")),
            "left": Text("-" if ends_in is None else duration(ends_in)),
            "refresh token": _refresh_token(state, self.now),
            "last renewal": _last_renewal(state, self.now),
            "served": Text("-" if served is None else str(served[state.name])),
        }


def subject(profile: Profile) -> str:
    """Return whom the token acts for, as far as the configuration knows it."""
    if profile.as_user:
        return f"as user {profile.as_user}"
    # The identity of a grant that rotates is a seed's fingerprint or a profile's
    # name, that of a developer token its own.
    named = profile.grant is not None and not profile.grant.rotates
    return profile.key.identity if named else ""


def _refresh_token(state: ProfileStatus, now: float) -> Text:
    """Return the last day on which the grant can still be renewed."""
    if state.refresh_issued_at is None:
        return Text("-")
    if state.trouble and state.trouble.kind is TroubleKind.REAUTHORIZE:
        return Text("refused", "red")
    if state.refresh_ends_at is None:
        return Text("no end")
    day = time.strftime("%Y-%m-%d", time.localtime(state.refresh_ends_at))
    colour = "red" if state.refresh_hint else ""
    return Text(f"{'ended' if state.refresh_ends_at <= now else 'until'} {day}", colour)


def _last_renewal(state: ProfileStatus, now: float) -> Text:
    """Return when the last attempt was, and what came of it; "-" for none."""
    if state.trouble is not None and state.trouble.message in NOBODY:
        return Text("-")
    if state.trouble is not None:
        since = duration(max(0.0, now - state.trouble.since))
        final = not state.trouble.not_before  # nobody tries again by itself
        return Text(f"failed {since} ago" if final else f"failing for {since}", "red")
    if state.renewed_at is None:
        return Text("-")
    return Text(f"{duration(max(0.0, now - state.renewed_at))} ago")
