"""`everbearer renew`: a new access token now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.configuration import (
    chosen,
    file_option,
    make_broker,
    read_and_warn,
    running,
)
from everbearer.errors import EverbearerError
from everbearer.settings.real_box import not_the_real_box
from everbearer.spans import duration

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.broker import Broker


@click.command(epilog="\b\nExample:\n  everbearer renew -c box/all.toml dev jwt")
@file_option
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
def command(config: Path | None, profiles: tuple[str, ...]) -> int:
    """
    Obtain a new access token now, past failures notwithstanding.

    Without PROFILE that of default_profile, or of the only one. A proxy that
    runs on the same store has the new token within a second.
    """
    import asyncio

    settings = read_and_warn(config)
    names = chosen(settings, profiles)
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    return asyncio.run(_renew_all(make_broker(settings), names))


async def _renew_all(broker: Broker, names: tuple[str, ...]) -> int:
    """Renew each; the exit code is that of the first that failed."""
    code = 0
    async with running(broker):
        for name in names:
            try:
                token = await broker.manager(name).renew()
            except EverbearerError as error:
                voice.error(f"{name}: {error.message}", error.hint)
                code = code or error.exit_code
                continue
            left = duration(token.expires_at - broker.clock.now())
            voice.say(f"{name}: renewed, good for {left}")
    return code
