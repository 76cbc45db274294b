"""`everbearer check`: whether the configuration is sound."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.authority import warn_of_doubts
from everbearer.cli.configuration import (
    file_option,
    json_option,
    located,
    make_idle_broker,
    problems_for_programs,
    read,
)
from everbearer.errors import ConfigError
from everbearer.settings.real_box import led_elsewhere, not_the_real_box

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.settings.model import Settings


@click.command(epilog="\b\nExample:\n  everbearer check -c box/all.toml")
@file_option
@json_option
def command(config: Path | None, *, as_json: bool) -> int:
    """
    Read the configuration and report every problem at once.

    Nothing is asked of any server, and no store is made.
    """
    from everbearer.audit.log import check_log

    try:
        settings = read(config)
        # Whatever a start would find, apart from the store itself.
        make_idle_broker(settings)
        check_log(settings.audit)
    except ConfigError as error:
        if not as_json:
            raise
        voice.result(_json(located(config), error=error))
        return error.exit_code
    if as_json:
        voice.result(_json(settings.source, settings))
        return 0
    for warning in settings.warnings:
        voice.warn(warning)
    warn_of_doubts(settings)
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    voice.result(_summary(settings))
    return 0


def _summary(settings: Settings) -> str:
    names = ", ".join(settings.profiles)
    rules, listeners = len(settings.rules), len(settings.listeners)
    return (
        f"ok: {settings.source}: profiles {names}; "
        f"{rules} rule{'s' * (rules != 1)}, "
        f"{listeners} listener{'s' * (listeners != 1)}, "
        f"{len(settings.warnings) or 'no'} warning{'s' * (len(settings.warnings) != 1)}"
    )


def _json(
    source: Path, settings: Settings | None = None, error: ConfigError | None = None
) -> str:
    problems = error.problems if error else ()
    return json.dumps(
        {
            "configuration": str(source),
            "ok": error is None,
            "problems": problems_for_programs(problems),
            "warnings": list(settings.warnings) if settings else [],
            "profiles": list(settings.profiles) if settings else [],
            "rules": [rule.label for rule in settings.rules] if settings else [],
            "not_the_real_box": led_elsewhere(settings) if settings else {},
        },
        indent=2,
    )
