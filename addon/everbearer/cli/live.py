"""`everbearer doctor --live`: the open questions, asked of a real account."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from everbearer import __version__
from everbearer.cli import voice
from everbearer.cli.asking import confirmed, somebody
from everbearer.cli.configuration import chosen, make_broker, read_and_warn, running
from everbearer.doctor.live import QUESTIONS, Live, asked
from everbearer.errors import ConfigError, Problem
from everbearer.renewal.wire import Wire
from everbearer.settings.real_box import led_elsewhere, not_the_real_box

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.doctor.live import Question
    from everbearer.settings.model import Profile, Settings


def profile_of_box(config: Path | None, name: str) -> tuple[Settings, Profile]:
    """Return the profile to ask as; raises ConfigError."""
    settings = read_and_warn(config)
    (name,) = chosen(settings, [name])
    profile = settings.profiles[name]
    if profile.provider != "box":
        raise ConfigError(
            Problem("", f"profile {name} is none of Box's", "the questions are Box's")
        )
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    return settings, profile


def agreed(profile: Profile, *, yes: bool, rotate: bool) -> list[Question]:
    """Return the questions that the user agrees to, each told before."""
    rotates = profile.grant is not None and profile.grant.rotates
    if rotate and not rotates:
        raise click.UsageError(
            f"--rotate redeems a refresh token, and {profile.name} has none"
        )
    if not yes and not somebody():
        raise ConfigError(
            Problem("", "nobody can be asked: ask Box?", "agree to it all by --yes")
        )
    wanted = []
    for question in QUESTIONS:
        if question.rotates and not rotates:
            continue
        voice.say(f"{question.name}: {question.does}")
        if question.risk:
            voice.warn(question.risk)
            if not rotate:
                voice.say("left out: it is only asked with --rotate")
                continue
        if yes or confirmed("ask this?"):
            wanted.append(question)
    return wanted


def report(
    settings: Settings, profile: Profile, questions: list[Question]
) -> dict[str, Any]:
    """Ask each question and return the report: shapes, and nobody's data."""
    broker = make_broker(settings)
    live = Live(profile, broker, Wire(settings.network))
    return {
        "everbearer": __version__,
        "mitmproxy": version("mitmproxy"),
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "grant": profile.grant.name if profile.grant else "access_token",
        "not_the_real_box": bool(led_elsewhere(settings)),
        "answers": asyncio.run(_answers(live, questions)),
    }


async def _answers(live: Live, questions: list[Question]) -> list[dict[str, Any]]:
    async with running(live.broker):
        return [
            {"question": each.name, "did": each.does, "found": await asked(live, each)}
            for each in questions
        ]
