"""`everbearer login`: a person's consent, by way of the browser."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.configuration import (
    chosen,
    file_option,
    located,
    make_broker,
    read_and_warn,
    running,
    waiting_for,
)
from everbearer.errors import (
    ConfigError,
    EverbearerError,
    Problem,
    ReauthorizationRequired,
)
from everbearer.settings.real_box import not_the_real_box
from everbearer.spans import duration

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.broker import Broker
    from everbearer.oauth.authorization import Code, Denied, Login
    from everbearer.settings.model import Profile


@click.command(epilog="\b\nExample:\n  everbearer login -c box/login.toml")
@file_option
@click.option(
    "--no-browser", is_flag=True, help="Print the address; take the answer pasted, too."
)
@click.option(
    "--profile-from",
    "model",
    metavar="OTHER",
    help="Make PROFILE first: another person's, by the application of OTHER.",
)
@click.argument("profile", required=False)
def command(
    config: Path | None, profile: str | None, model: str | None, *, no_browser: bool
) -> None:
    """
    Log in: the browser asks for your consent, the rest happens by itself.

    What comes takes the place of what the profile had; its settings stay. A proxy
    that runs goes on with it at once. Where the browser is on another machine,
    open the address there and paste the one on which it ended.
    """
    if model is not None:
        _make(config, profile, model)
    import asyncio

    settings = read_and_warn(config)
    (name,) = chosen(settings, [profile] if profile else [])
    if elsewhere := not_the_real_box(settings):
        voice.warn(elsewhere)
    _check(settings.profiles[name])
    asyncio.run(_log_in(make_broker(settings), name, no_browser=no_browser))


def _make(config: Path | None, profile: str | None, model: str) -> None:
    """Write a profile like another into the configuration."""
    if profile is None:
        raise click.UsageError("--profile-from needs the new PROFILE's name")
    from everbearer.settings.adopt import adopt_like

    path = located(config)
    adoption = adopt_like(path, os.environ, model, profile)
    _check(adoption.settings.profiles[profile])
    for line in adoption.difference.splitlines():
        voice.result(voice.printable(line))
    adoption.write()
    voice.say(f"changed {path}: profile {profile}")


def _check(profile: Profile) -> None:
    """Raise ConfigError for a profile that is not logged in this way."""
    where = f"profiles.{profile.name}"
    if profile.grant is not None and not profile.grant.rotates:
        raise ConfigError(
            Problem(
                where,
                f"grant {profile.grant.name} needs no login: it obtains its tokens"
                " without a person",
                f"run: everbearer renew {profile.name}",
            )
        )
    if profile.grant is not None and not profile.endpoints.authorize_url:
        raise ConfigError(
            Problem(
                f"{where}.authorize_url",
                "is missing, and token_url is not the provider's own",
                'write: authorize_url = "https://…"',
            )
        )


async def _log_in(broker: Broker, name: str, *, no_browser: bool) -> None:
    from everbearer.cli.consent import Way, has_browser
    from everbearer.login.outcome import LOGGED_IN, not_logged_in

    # Ended by SIGTERM, too, it takes the page with it that leads to the login.
    interrupt = signal.getsignal(signal.SIGINT)
    if not callable(interrupt):  # it is ignored, as in a shell's background
        interrupt = signal.default_int_handler
    signal.signal(signal.SIGTERM, interrupt)
    async with running(broker):
        await broker.consent(name).check()
        way = Way(broker.settings.profiles[name], shows=no_browser or not has_browser())
        try:
            answer = await way.answer()
            try:
                told = await _exchanged(broker, name, way.login, answer)
            except EverbearerError as error:
                way.conclude(not_logged_in(error, voice.pasteable(error.hint)))
                raise
            way.conclude(LOGGED_IN)
            voice.say(told, "green")
        finally:
            await way.stop()


async def _exchanged(
    broker: Broker, name: str, login: Login, answer: Code | Denied
) -> str:
    """Save what the code brings; return what to tell."""
    from everbearer.login.outcome import refusal_of
    from everbearer.oauth.authorization import Denied

    if isinstance(answer, Denied):
        raise refusal_of(answer, name)
    consent = broker.consent(name)
    try:
        token = await consent.log_in(login, answer, waiting_for(name))
    except ReauthorizationRequired as error:
        raise ReauthorizationRequired(
            error.message,
            hint=f"a code is good once and for seconds; run: everbearer login {name}",
        ) from None
    left = duration(token.expires_at - broker.clock.now())
    who = await consent.who(token)
    return f"{name}: logged in{f' as {who}' if who else ''}, good for {left}"
