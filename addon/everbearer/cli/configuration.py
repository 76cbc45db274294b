"""
What commands share: the configuration, and the broker made of it.

What is behind them is imported when it is needed: commands import this, and are
asked for their help.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.errors import ConfigError, Problem
from everbearer.settings.locate import locate
from everbearer.settings.problems import nearest
from everbearer.spans import duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from everbearer.broker import Broker
    from everbearer.events import Event
    from everbearer.settings.load import Survey
    from everbearer.settings.model import Settings


def _speak_of(
    _: click.Context, __: click.Parameter, config: Path | None
) -> Path | None:
    voice.speak_of(located(config))
    return config


file_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    callback=_speak_of,
    metavar="FILE",
    help="The configuration; else $EVERBEARER_CONFIG, else the user's own.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def read(config: Path | None) -> Settings:
    """
    Read the configuration that *config* or the environment names.

    Raises ConfigError with every problem.
    """
    from everbearer.settings.load import load

    return load(located(config), os.environ)


def look_at(config: Path | None) -> Survey:
    """
    Return what is sound in the configuration, and every problem.

    Raises ConfigError where nothing can be read at all.
    """
    from everbearer.settings.load import survey

    return survey(located(config), os.environ)


def problems_for_programs(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return the problems as --json shows them."""
    return [
        asdict(problem) | {"fix": voice.pasteable(problem.fix)} for problem in problems
    ]


def read_and_warn(config: Path | None) -> Settings:
    """Read the configuration and tell what is doubtful in it."""
    settings = read(config)
    for warning in settings.warnings:
        voice.warn(warning)
    return settings


def located(config: Path | None) -> Path:
    """Return where the configuration is, or should be."""
    return locate(config, os.environ)


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[Broker]:
    """
    Let go of what the broker holds in the end, renewals in flight saved.

    What is tried again meanwhile is told: nobody shall wait and not know why.
    """
    from everbearer.audit.log import keep_log

    broker.subscribe(_tell_trouble)
    with keep_log(broker, voice.warn, must=False):
        try:
            yield broker
        finally:
            if awaited := broker.awaited:
                voice.warn(awaited)
            await broker.stop()


def _tell_trouble(event: Event) -> None:
    from everbearer.events import RenewalFailed, SaveFailed

    if isinstance(event, SaveFailed):
        where = event.rescued
        meanwhile = f"a copy is in {where}" if where else "it is lost if this ends now"
        voice.warn(
            f"{event.profile}: the new token cannot be saved, {meanwhile}:"
            f" {event.message}; tried again and again"
        )
    if isinstance(event, RenewalFailed) and event.retry_at > event.at:
        wait = duration(event.retry_at - event.at)
        voice.warn(f"{event.profile}: {event.message}; tried again in {wait}")


def waiting_for(profile: str) -> Callable[[], None]:
    """Return what tells that another process keeps the grant of *profile*."""
    return lambda: voice.warn(
        f"{profile}: waiting for another process, which holds the grant: it is renewing"
        " it, or cannot save what it has renewed"
    )


def make_broker(settings: Settings) -> Broker:
    """
    Return a broker on the configured store, which is made if there is none.

    Blocks: not to be called on an event loop. Raises ConfigError, StoreError.
    """
    from everbearer.broker import Broker

    return Broker(settings, lambda: settings)


def make_idle_broker(settings: Settings) -> Broker:
    """Return a broker that only decides: there is no store, and none is made."""
    from everbearer.broker import Broker
    from everbearer.stores.memory import MemoryStore

    return Broker(settings, lambda: settings, store=MemoryStore())


def chosen(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """
    Return the profiles that are meant: those named, else the one that serves.

    Raises ConfigError for an unknown name, and where nobody can tell which.
    """
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in settings.profiles:
            raise ConfigError(
                Problem("", f"there is no profile {name}", _known(settings, name))
            )
    if wanted:
        return wanted
    if settings.default_profile:
        return (settings.default_profile,)
    if len(settings.profiles) == 1:
        return tuple(settings.profiles)
    raise ConfigError(
        Problem(
            "",
            "several profiles, and default_profile says nothing",
            f"name one of: {', '.join(settings.profiles)}",
        )
    )


def _known(settings: Settings, name: str) -> str:
    meant = nearest(name, settings.profiles)
    if meant:
        return f"did you mean {meant}?"
    return f"there are: {', '.join(settings.profiles)}"
