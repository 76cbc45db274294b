"""`everbearer doctor`: what is wrong with the set-up, and what mends it."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from everbearer.cli import voice
from everbearer.cli.configuration import file_option, json_option, located
from everbearer.doctor.result import Level, exit_code
from everbearer.settings.real_box import led_elsewhere, not_the_real_box

if TYPE_CHECKING:
    from everbearer.doctor.checks import Check
    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result

_COLOURS: Final = {
    Level.OK: "green",
    Level.WARN: "yellow",
    Level.FAIL: "red",
    Level.SKIP: "bright_black",
}
_INDENT: Final = " " * 6


@click.command(epilog="\b\nExample:\n  everbearer doctor -c box/all.toml")
@file_option
@json_option
@click.option("--offline", is_flag=True, help="Leave out what asks a server.")
@click.option(
    "--live",
    metavar="PROFILE",
    help="Ask Box with your account what is not known of it, for a report.",
)
@click.option("--yes", is_flag=True, help="Agree to every question of --live.")
@click.option(
    "--rotate",
    is_flag=True,
    help="With --live: redeem the refresh token more than once, too.",
)
def command(
    config: Path | None,
    live: str | None,
    *,
    as_json: bool,
    offline: bool,
    yes: bool,
    rotate: bool,
) -> int:
    """
    Find what is wrong with the set-up, and what mends it.

    Each line is ok, warn, fail or skip (it could not be looked at). Tools are
    really made to connect, and a token is obtained for each profile and kept, as
    for a request. The exit code is 0, or that of the first failure.

    --live looks at nothing here. It asks Box a few harmless questions as PROFILE,
    tells each before, and prints a report (JSON) without tokens, ids, names or
    addresses, which helps everbearer if you send it.
    """
    if live is not None and offline:
        raise click.UsageError("--live asks Box, and --offline nobody")
    if live is not None:
        from everbearer.cli import live as live_questions

        settings, profile = live_questions.profile_of_box(config, live)
        questions = live_questions.agreed(profile, yes=yes, rotate=rotate)
        found = live_questions.report(settings, profile, questions)
        voice.result(json.dumps(found, indent=2))
        voice.say("that is the report; read it before you send it")
        return 0
    if yes or rotate:
        raise click.UsageError("--yes and --rotate belong to --live")
    import asyncio

    from everbearer.clients.own_authority import own_folder
    from everbearer.doctor.patient import Patient

    patient = Patient(
        config=located(config),
        environ=os.environ,
        confdir=Path.home() / ".mitmproxy",
        own=own_folder(),
        offline=offline,
    )
    results = asyncio.run(_examined(patient, quiet=as_json))
    code = exit_code(results)
    if as_json:
        voice.result(json.dumps(_as_json(patient, results, code), indent=2))
        return code
    if patient.found and (elsewhere := not_the_real_box(patient.found)):
        voice.warn(elsewhere)
    voice.say(_summary(results))
    return code


async def _examined(patient: Patient, *, quiet: bool) -> list[Result]:
    """Make all checks; on a terminal the one that is being made is told."""
    from rich.console import Console

    from everbearer.doctor.checks import CHECKS, examine

    console = Console(stderr=True, highlight=False)
    status = console.status("") if console.is_terminal and not quiet else None

    def started(check: Check) -> None:
        if status is not None:
            status.update(f"looking at: {check.name}")
            status.start()

    results = []
    try:
        async for _, result in examine(patient, CHECKS, started):
            if status is not None:
                status.stop()  # it has the line that the result goes to
            results.append(result)
            if not quiet:
                _tell(result)
    finally:
        if status is not None:
            status.stop()
    return results


def _tell(result: Result) -> None:
    level = click.style(f"{result.level.value:5}", fg=_COLOURS[result.level])
    text = f"{result.what}: {result.detail}"
    voice.result(f"{level} {voice.printable(text)}")
    if result.fix:
        fix = voice.printable(voice.pasteable(result.fix))
        voice.result(f"{_INDENT}{click.style(fix, fg='cyan')}")


def _summary(results: list[Result]) -> str:
    counts = Counter(result.level for result in results)
    fails, warnings = counts[Level.FAIL], counts[Level.WARN]
    if not fails and not warnings:
        return "all is well"
    return (
        f"{fails or 'no'} failure{'s' * (fails != 1)}, "
        f"{warnings or 'no'} warning{'s' * (warnings != 1)}"
    )


def _as_json(patient: Patient, results: list[Result], code: int) -> dict[str, Any]:
    found = patient.found
    return {
        "configuration": str(patient.config),
        "ok": code == 0,
        "exit_code": code,
        "not_the_real_box": led_elsewhere(found) if found else {},
        "results": [
            asdict(r) | {"level": r.level.value, "fix": voice.pasteable(r.fix)}
            for r in results
        ],
    }
