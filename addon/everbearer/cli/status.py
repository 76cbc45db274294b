"""`everbearer status`: how each profile's token does."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from everbearer.broker import Broker
from everbearer.cli import real_box, voice
from everbearer.cli.configuration import (
    file_option,
    json_option,
    located,
    look_at,
    problems_for_programs,
    running,
)
from everbearer.errors import ConfigError, TokenRequestRejected
from everbearer.stores import open_store
from everbearer.stores.contract import TroubleKind
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.load import Survey
    from everbearer.settings.model import Profile, Settings
    from everbearer.stores.contract import Store

_COLOURS: Final = {"fresh": "green", "stale": "yellow", "expired": "red", "dead": "red"}
_WIDE: Final = 1000
"""Columns where no terminal sets a limit: a program reads whole lines."""


@click.command(epilog="\b\nExample:\n  everbearer status -c box/all.toml")
@file_option
@json_option
def command(config: Path | None, *, as_json: bool) -> int:
    """
    Show the state of every profile's token, as the store has it.

    Nothing is asked of any server, and no store is made. Ages are of the last
    renewal's refresh token, which ends unless a proxy or `everbearer renew`
    renews it; a token is stale when it is about to be renewed.
    With mistakes in the configuration (exit code 2) the sound profiles are
    shown all the same: a proxy that runs goes on with the configuration that
    it had.
    """
    try:
        found = look_at(config)
    except ConfigError as error:
        if not as_json:
            raise
        nothing = {"configuration": str(located(config)), "profiles": []}
        problems = {"problems": problems_for_programs(error.problems)}
        voice.result(json.dumps(nothing | problems, indent=2))
        return error.exit_code
    code = ConfigError.exit_code if found.problems else 0
    settings = found.settings
    store = open_store(settings.store, make=False) if settings.profiles else None
    states = asyncio.run(_states(settings, store)) if store is not None else ()
    absent = settings.store.path is not None and isinstance(store, MemoryStore)
    if as_json:
        voice.result(json.dumps(_as_json(found, states, absent=absent), indent=2))
        return code
    _tell(found, states, absent=absent)
    return code


def _tell(found: Survey, states: Sequence[ProfileStatus], *, absent: bool) -> None:
    settings = found.settings
    for warning in settings.warnings:
        voice.warn(warning)
    voice.mistakes(found.problems)
    if found.problems:
        voice.warn("a proxy that runs keeps the configuration that it had")
    if elsewhere := real_box.warning(settings):
        voice.warn(elsewhere)
    if absent:
        voice.say(f"no store yet: {settings.store.path} is made with the first use")
    if states:
        _print(_table(settings, states, time.time()))
    for state in states:
        for notice in state.notices:
            voice.warn(f"{state.name}: {notice.message}")
            voice.hint(notice.hint)
        if state.refresh_hint and state.trouble is None:
            _warn_of_the_end(state, time.time())
        if state.trouble is not None:
            voice.warn(f"{state.name}: {state.trouble.message}")
            voice.hint(_hint(settings.profiles[state.name], state))


def _warn_of_the_end(state: ProfileStatus, now: float) -> None:
    ends_at = state.refresh_ends_at or now
    day = time.strftime("%Y-%m-%d", time.localtime(ends_at))
    what = (
        f"ended on {day}" if ends_at <= now else f"ends on {day} unless it is renewed"
    )
    voice.warn(f"{state.name}: the refresh token {what}")
    voice.hint(state.refresh_hint)


async def _states(settings: Settings, store: Store) -> tuple[ProfileStatus, ...]:
    async with running(Broker(settings, lambda: settings, store=store)) as broker:
        return await broker.status()


def _table(settings: Settings, states: Sequence[ProfileStatus], now: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("profile", "grant", "client", "subject", "state", "left"):
        # Where there is little room these two are narrowed, and no other.
        table.add_column(column, no_wrap=column not in {"client", "subject"})
    table.add_column("refresh token")
    for state in states:
        profile = settings.profiles[state.name]
        table.add_row(
            _text(state.name),
            state.grant,
            _text(profile.key.client_id or "-"),
            _text(_subject(profile) or "-"),
            Text(state.state, _COLOURS.get(state.state, "")),
            "-" if state.expires_in is None else voice.duration(state.expires_in),
            _refresh_token(state, now),
        )
    return table


def _refresh_token(state: ProfileStatus, now: float) -> Text:
    if state.refresh_issued_at is None:
        return Text("-")
    age = f"{voice.duration(max(0.0, now - state.refresh_issued_at))} old"
    if state.refresh_ends_at is None:
        return Text(age)
    left = state.refresh_ends_at - now
    colour = "red" if state.refresh_hint else ""
    if left <= 0:
        return Text(f"{age}, ended", colour)
    return Text(f"{age}, ends in {voice.duration(left)}", colour)


def _text(value: str) -> Text:
    """Keep rich from reading brackets as its markup."""
    return Text(voice.printable(value))


def _subject(profile: Profile) -> str:
    """Return whom the token acts for, as far as the configuration knows it."""
    if profile.as_user:
        return f"as user {profile.as_user}"
    # The other grants' identity is a seed's fingerprint or a profile's name.
    named = profile.grant is not None and not profile.grant.seed
    return profile.key.identity if named else ""


def _hint(profile: Profile, state: ProfileStatus) -> str:
    assert state.trouble is not None
    match state.trouble.kind:
        case TroubleKind.REAUTHORIZE if profile.grant is not None:
            return profile.grant.reauthorize_hint(profile.name)
        case TroubleKind.CONFIGURATION:
            return TokenRequestRejected.default_hint
    return f"run: everbearer renew {profile.name}"


def _print(table: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    console.print(table)


def _as_json(
    found: Survey, states: Sequence[ProfileStatus], *, absent: bool
) -> dict[str, Any]:
    settings = found.settings
    return {
        "configuration": str(settings.source),
        "problems": problems_for_programs(found.problems),
        "not_the_real_box": real_box.elsewhere(settings),
        "no_store_yet": absent,
        "profiles": [
            _profile(settings.profiles[state.name], state) for state in states
        ],
    }


def _profile(profile: Profile, state: ProfileStatus) -> dict[str, Any]:
    shown = asdict(state)
    if state.expires_in is not None and math.isinf(state.expires_in):
        shown["expires_in"] = None  # JSON has no infinity
    shown["client_id"] = profile.key.client_id
    shown["subject"] = _subject(profile)
    if state.trouble is not None:
        shown["trouble"] = {
            "kind": state.trouble.kind.value,
            "message": state.trouble.message,
            "since": state.trouble.since,
            "attempts": state.trouble.attempts,
            "retry_at": state.trouble.not_before or None,
            "hint": _hint(profile, state),
        }
    return shown
