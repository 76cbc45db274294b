"""`everbearer explain`: what would happen to a request, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice
from everbearer.cli.configuration import (
    file_option,
    json_option,
    make_idle_broker,
    read_and_warn,
)
from everbearer.cli.request import (
    Fields,
    Request,
    listener_for,
    parse_fields,
    user_of,
    view_of,
)
from everbearer.policy.verdict import Inject, Pass, Refuse
from everbearer.settings.real_box import led_elsewhere, not_the_real_box

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.policy.verdict import Verdict

_COLOURS: Final = {"inject": "green", "pass": "yellow", "refuse": "red"}


def _parsed(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> Fields:
    try:
        return parse_fields(texts)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command(
    epilog="\b\nExample:\n"
    "  everbearer explain -c box/all.toml GET https://api.box.com/2.0/users/me"
)
@file_option
@json_option
@click.option(
    "-H",
    "--field",
    "fields",
    multiple=True,
    callback=_parsed,
    metavar="FIELD",
    help="As curl's -H.",
)
@click.option(
    "--listener",
    "address",
    metavar="ADDR",
    help="Who takes the request: the address of one of the listeners.",
)
@click.option(
    "--user",
    "name",
    metavar="NAME",
    help="Who asks: a proxy user, taken to have given the right password.",
)
@click.argument("method")
@click.argument("url")
def command(
    config: Path | None,
    fields: Fields,
    address: str | None,
    name: str | None,
    method: str,
    url: str,
    *,
    as_json: bool,
) -> None:
    """
    Tell what would happen to a request, by which rule and why.

    Nothing is sent, and no token is obtained. The request is seen as the
    explicit proxy would see it (https by CONNECT); a URL with the address of a
    reverse listener as that listener would.
    """
    settings = read_and_warn(config)
    request = Request(method, url, fields)
    listener = listener_for(request, settings, address)
    user = user_of(name, settings)
    view = view_of(request, listener, settings.proxy.placeholder, user)
    # The proxy's own way to a decision; nothing is kept, so nothing is made.
    broker = make_idle_broker(settings)
    told = _told(broker.decide(view), name)
    if as_json:
        elsewhere = led_elsewhere(settings)
        more = {"listener": str(listener.address), "not_the_real_box": elsewhere}
        voice.result(json.dumps(told | more, indent=2))
        return
    if warning := not_the_real_box(settings):
        voice.warn(warning)
    for key, value in told.items():
        if value is not None:
            colour = _COLOURS[str(value)] if key == "verdict" else None
            shown = click.style(voice.printable(str(value)), fg=colour)
            voice.result(f"{key:8} {shown}")


def _told(verdict: Verdict, user: str | None) -> dict[str, str | int | None]:
    """Return the verdict for people and programs; None for what it does not have."""
    told: dict[str, str | int | None]
    match verdict:
        case Inject():
            told = {"verdict": "inject", "profile": verdict.profile}
        case Pass():
            told = {"verdict": "pass", "profile": verdict.heal}
        case Refuse():
            told = {"verdict": "refuse", "profile": verdict.profile or None}
    refusal = verdict if isinstance(verdict, Refuse) else None
    return told | {
        "user": user,
        "rule": verdict.rule or None,
        "status": refusal.status if refusal else None,
        "code": verdict.code,
        "reason": verdict.reason,
        "hint": voice.pasteable(refusal.hint) if refusal else None,
    }
