"""`everbearer dashboard`: open the page of the proxy that runs."""

from __future__ import annotations

import secrets
import time
import webbrowser
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice
from everbearer.cli.configuration import file_option, located, look_at
from everbearer.errors import ConfigError, EverbearerError

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.dashboard.runtime import Found

_SHOWN: Final = 10.0
"""Seconds for which the page is there by which a browser is sent off."""


@click.command(epilog="\b\nExample:\n  everbearer dashboard -c box/all.toml")
@file_option
@click.option("--no-browser", is_flag=True, help="Print the link instead.")
def command(config: Path | None, *, no_browser: bool) -> None:
    """
    Open the dashboard of the proxy that runs with this configuration.

    The link lets one browser in, is good once and for a minute. With --no-browser
    it is printed, for a browser on this machine; from another one reach the port
    by ssh -L first.
    """
    from everbearer.cli.consent import has_browser
    from everbearer.dashboard import runtime
    from everbearer.dashboard.session import NONCE_BYTES, make_ticket
    from everbearer.policy.hosts import join_authority

    source = located(config)
    found = runtime.running(source, runtime.default_folder())
    if not found:
        raise _none_runs(config, source)
    instance = found[0]
    if len(found) > 1:
        voice.warn(
            f"{len(found)} proxies run with it, this is the latest: {_told(found[0])}"
        )
    ticket = make_ticket(instance.key, time.time(), secrets.token_bytes(NONCE_BYTES))
    where = f"http://{join_authority(instance.host, instance.port)}"
    link = f"{where}/open?ticket={ticket.reveal()}"
    if not no_browser and has_browser() and _opened(link):
        voice.say(f"opened {where} in the browser")
        return
    voice.say("open this link in a browser of this machine; it is good once, for 60 s:")
    voice.result(link)


def _opened(link: str) -> bool:
    """Have a browser follow the link, which no command line has in it."""
    from everbearer.login.opening import page_to

    with page_to(link, title="Open the dashboard") as page:
        if not webbrowser.open(page):
            voice.warn("no browser could be opened")
            return False
        time.sleep(_SHOWN)
    return True


def _told(found: Found) -> str:
    return f"process {found.pid}"


def _none_runs(config: Path | None, source: Path) -> EverbearerError:
    try:
        settings = look_at(config).settings
    except ConfigError as error:
        return error
    if not settings.dashboard.enabled:
        return EverbearerError(
            f"the dashboard is switched off in {source}",
            hint="remove dashboard.enabled = false, and restart everbearer serve",
        )
    return EverbearerError(
        f"no proxy of this user runs with {source}",
        hint="run: everbearer serve",
    )
