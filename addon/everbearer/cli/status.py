"""`everbearer status`: how each profile's token does."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import click

from everbearer.cli import voice
from everbearer.cli.configuration import (
    chosen,
    file_option,
    json_option,
    located,
    look_at,
    problems_for_programs,
    running,
)
from everbearer.errors import ConfigError, EverbearerError
from everbearer.settings.real_box import led_elsewhere, not_the_real_box

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from everbearer.cli.status_table import Overview
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.load import Survey
    from everbearer.settings.model import Profile, Settings
    from everbearer.stores.contract import Store

_WATCH_EVERY: Final = 2.0
"""Seconds."""

_WIDE: Final = 1000
"""Columns where no terminal sets a limit: a program reads whole lines."""


@click.command(epilog="\b\nExample:\n  everbearer status -c box/all.toml")
@file_option
@json_option
@click.option("--watch", is_flag=True, help="Show it again every 2 seconds.")
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
def command(
    config: Path | None, profiles: tuple[str, ...], *, as_json: bool, watch: bool
) -> int:
    """
    Show the state of every profile's token, as the store has it, or of those named.

    Nothing is asked of any server, and no store is made. A refresh token ends on
    the day shown unless a proxy or `everbearer renew` renews it; a token is stale
    when it is about to be renewed. Served are the requests that this machine's
    running proxies have sent with a token.
    With mistakes in the configuration (exit code 2) the sound profiles are
    shown all the same: a proxy that runs goes on with the configuration that
    it had.
    """
    if watch:
        return _watch(config, profiles, as_json=as_json)
    try:
        found = look_at(config)
    except ConfigError as error:
        if not as_json:
            raise
        nothing = {"configuration": str(located(config)), "profiles": []}
        problems = {"problems": problems_for_programs(error.problems)}
        voice.result(json.dumps(nothing | problems, indent=2))
        return error.exit_code
    view = _view(found, profiles)
    if as_json:
        voice.result(json.dumps(_as_json(view), indent=2))
    else:
        _tell(view)
    return ConfigError.exit_code if found.problems else 0


def _watch(config: Path | None, names: tuple[str, ...], *, as_json: bool) -> int:
    """Show the table until Ctrl-C, whatever happens to the configuration."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    if as_json or not console.is_terminal:
        raise click.UsageError("--watch shows a table on a terminal")
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            try:
                view = _view(look_at(config), names)
                shown: Group = Group(
                    _overview(view), "", *(Text(*line) for line in _lines(view))
                )
            except EverbearerError as error:
                shown = Group(
                    Text(error.message, "red"),
                    Text(voice.pasteable(error.hint), "cyan"),
                )
            live.update(shown, refresh=True)
            time.sleep(_WATCH_EVERY)
    return 0


@dataclass(frozen=True, slots=True)
class _View:
    """What is known at one moment."""

    found: Survey
    states: tuple[ProfileStatus, ...]
    served: Counter[str] | None
    absent: bool
    now: float

    @property
    def settings(self) -> Settings:
        return self.found.settings


def _view(found: Survey, names: tuple[str, ...]) -> _View:
    """Look at the profiles of these *names*, at all without; raises ConfigError."""
    import asyncio

    from everbearer.cli.served import default_folder, served
    from everbearer.stores import open_store
    from everbearer.stores.memory import MemoryStore

    settings = found.settings
    if found.problems and not settings.profiles.keys() >= set(names):
        raise ConfigError(*found.problems)
    wanted = chosen(settings, names) if names else tuple(settings.profiles)
    store = open_store(settings.store, make=False) if settings.profiles else None
    states = asyncio.run(_states(settings, store)) if store is not None else ()
    return _View(
        found=found,
        states=tuple(each for each in states if each.name in wanted),
        served=served(settings.source, default_folder()),
        absent=settings.store.path is not None and isinstance(store, MemoryStore),
        now=time.time(),
    )


def _overview(view: _View) -> Overview:
    from everbearer.cli.status_table import Overview

    return Overview(view.settings, view.states, view.served, view.now)


def _tell(view: _View) -> None:
    settings = view.settings
    for warning in settings.warnings:
        voice.warn(warning)
    voice.mistakes(view.found.problems)
    if view.found.problems:
        voice.warn("a proxy that runs keeps the configuration that it had")
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    if view.absent:
        voice.say(f"no store yet: {settings.store.path} is made with the first use")
    if view.states:
        _print(_overview(view))
    for message, hint in _troubles(view):
        voice.warn(message)
        voice.hint(hint)


def _lines(view: _View) -> Iterator[tuple[str, str]]:
    """Return what stands below the table that is watched, with its colours."""
    for problem in view.found.problems:
        yield voice.printable(voice.pasteable(str(problem))), "red"
    if elsewhere := not_the_real_box(view.settings):
        yield voice.printable(elsewhere), "yellow"
    for message, hint in _troubles(view):
        yield voice.printable(message), "yellow"
        yield voice.printable(voice.pasteable(hint)), "cyan"


def _troubles(view: _View) -> Iterator[tuple[str, str]]:
    """Return what a person should know of the profiles, and what to do."""
    from everbearer.renewal.status import trouble_hint

    for state in view.states:
        for notice in state.notices:
            yield f"{state.name}: {notice.message}", notice.hint
        if state.trouble is not None:
            hint = trouble_hint(view.settings.profiles[state.name], state.trouble)
            yield f"{state.name}: {state.trouble.message}", hint
        elif state.refresh_hint:
            yield _end_of(state, view.now), state.refresh_hint


def _end_of(state: ProfileStatus, now: float) -> str:
    ends_at = state.refresh_ends_at or now
    day = time.strftime("%Y-%m-%d", time.localtime(ends_at))
    what = (
        f"ended on {day}" if ends_at <= now else f"ends on {day} unless it is renewed"
    )
    return f"{state.name}: the refresh token {what}"


async def _states(settings: Settings, store: Store) -> tuple[ProfileStatus, ...]:
    from everbearer.broker import Broker

    async with running(Broker(settings, lambda: settings, store=store)) as broker:
        return await broker.status()


def _print(shown: Overview) -> None:
    from rich.console import Console

    terminal = Console()
    console = Console(
        file=StringIO(),
        force_terminal=terminal.is_terminal,
        width=terminal.width if terminal.is_terminal else _WIDE,
        highlight=False,
    )
    console.print(shown)
    assert isinstance(console.file, StringIO)
    voice.result(console.file.getvalue().removesuffix("\n"))


def _as_json(view: _View) -> dict[str, Any]:
    settings = view.settings
    return {
        "configuration": str(settings.source),
        "problems": problems_for_programs(view.found.problems),
        "not_the_real_box": led_elsewhere(settings),
        "no_store_yet": view.absent,
        "profiles": [
            _profile(settings.profiles[state.name], state)
            | {"served": None if view.served is None else view.served[state.name]}
            for state in view.states
        ],
    }


def _profile(profile: Profile, state: ProfileStatus) -> dict[str, Any]:
    from everbearer.cli.status_table import subject
    from everbearer.renewal.status import trouble_hint

    shown = asdict(state)
    if state.expires_in is not None and math.isinf(state.expires_in):
        shown["expires_in"] = None  # JSON has no infinity
    shown["client_id"] = profile.key.client_id
    shown["subject"] = subject(profile)
    if state.trouble is not None:
        shown["trouble"] = {
            "kind": state.trouble.kind.value,
            "message": state.trouble.message,
            "since": state.trouble.since,
            "attempts": state.trouble.attempts,
            "retry_at": state.trouble.not_before or None,
            "hint": voice.pasteable(trouble_hint(profile, state.trouble)),
        }
    return shown
