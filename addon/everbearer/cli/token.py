"""`everbearer token`: for those who cannot use the proxy."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.configuration import (
    chosen,
    file_option,
    json_option,
    make_broker,
    read_and_warn,
    running,
)
from everbearer.settings.real_box import not_the_real_box
from everbearer.spans import duration

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.broker import Broker
    from everbearer.schemes.contract import Credential


@click.command(epilog="\b\nExample:\n  everbearer token -c box/all.toml jwt")
@file_option
@json_option
@click.option(
    "--header", is_flag=True, help="Print the whole field: Authorization: Bearer …"
)
@click.argument("profile", required=False)
def command(
    config: Path | None, profile: str | None, *, as_json: bool, header: bool
) -> None:
    """
    Print a valid access token, renewed where that is needed.

    Without PROFILE that of default_profile, or of the only one. The token is a
    secret: whoever reads it can act as you until it ends.
    """
    if as_json and header:
        raise click.UsageError("--json and --header exclude each other")
    import asyncio

    settings = read_and_warn(config)
    (name,) = chosen(settings, [profile] if profile else [])
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    credential, left = asyncio.run(_obtain(make_broker(settings), name))
    voice.say(f"the access token of {name}, good for {duration(left)}")
    token = credential.token.value.reveal()
    if as_json:
        voice.result(_json(credential, left))
    else:
        voice.result(f"Authorization: Bearer {token}" if header else token)


async def _obtain(broker: Broker, name: str) -> tuple[Credential, float]:
    async with running(broker):
        credential = await broker.credential(name)
        return credential, credential.token.expires_at - broker.clock.now()


def _json(credential: Credential, left: float) -> str:
    """Return a token response (RFC 6749 §5.1), with the profile's name."""
    return json.dumps(
        {
            "access_token": credential.token.value.reveal(),
            "token_type": "bearer",
            "expires_in": None if math.isinf(left) else max(0, int(left)),
            "profile": credential.profile,
        },
        indent=2,
    )
