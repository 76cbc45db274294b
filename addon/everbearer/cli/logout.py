"""`everbearer logout`: a person takes consent back."""

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
    waiting_for,
)
from everbearer.settings.real_box import not_the_real_box

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.broker import Broker
    from everbearer.renewal.consent import LoggedOut


@click.command(epilog="\b\nExample:\n  everbearer logout -c box/login.toml")
@file_option
@click.option("--forget", is_flag=True, help="Delete the tokens without revoking them.")
@click.argument("profile", required=False)
def command(config: Path | None, profile: str | None, *, forget: bool) -> None:
    """
    Revoke the profile's tokens at the server and delete them here.

    The profile stays in the configuration. Where the server cannot be asked,
    nothing is deleted, unless --forget says so.
    """
    import asyncio

    settings = read_and_warn(config)
    (name,) = chosen(settings, [profile] if profile else [])
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    grant = settings.profiles[name].grant
    outcome = asyncio.run(_log_out(make_broker(settings), name, ask=not forget))
    voice.say(f"{name}: {_told(outcome, asked=not forget)}")
    if grant is not None and not grant.rotates:
        voice.warn(
            f"grant {grant.name} obtains a new token with the next request: to end"
            " that, remove the profile, or the application at the provider"
        )


async def _log_out(broker: Broker, name: str, *, ask: bool) -> LoggedOut:
    async with running(broker):
        return await broker.consent(name).log_out(waiting_for(name), ask=ask)


def _told(outcome: LoggedOut, *, asked: bool) -> str:
    if not outcome.known:
        return "there was nothing to log out of"
    if not asked:
        return "the tokens are deleted here; at the server they are good until they end"
    if not outcome.revoked:
        return "the server had ended the tokens before; they are deleted"
    return "logged out: the tokens are revoked and deleted"
