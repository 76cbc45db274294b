"""`everbearer env`: what leads a shell, or a tool, to the running proxy."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice
from everbearer.cli.authority import FIRST_START, certificate_path, warn_if_missing
from everbearer.cli.configuration import file_option, read
from everbearer.clients.recipes import RECIPES, Facts
from everbearer.clients.shells import SHELLS, statements
from everbearer.clients.upstream import marked, marks
from everbearer.clients.variables import (
    JAVA,
    Endpoint,
    java_options,
    proxy_variables,
)
from everbearer.errors import ConfigError, EverbearerError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.settings.model import Settings

_USERS: Final = (
    "the proxy has users, and what is printed names none: the proxy's URL needs"
    " NAME:PASSWORD@ before its host. Write it in a file that only you can read and"
    " that the shell takes in by .; a command line is kept in the shell's history,"
    " and others see it"
)


@click.command(epilog="\b\nExample:\n  everbearer env -c box/all.toml --for curl")
@file_option
@click.option(
    "--shell",
    type=click.Choice(list(SHELLS)),
    help="Print for this shell; else the one in $SHELL.",
)
@click.option(
    "--for",
    "tool",
    metavar="TOOL",
    type=click.Choice(list(RECIPES), case_sensitive=False),
    help=f"Print what one tool needs: {', '.join(RECIPES)}.",
)
def command(config: Path | None, shell: str | None, tool: str | None) -> None:
    """
    Print the variables that lead a shell's tools to `everbearer serve`.

    \b
    In sh, bash, zsh:  eval "$(everbearer env)"
    In fish:           everbearer env | source

    They name the proxy, and files with what tools trusted before and its CA.
    """  # noqa: D301 - \b is click's mark for text that it must not wrap
    import platformdirs

    from everbearer.clients.trust_files import trust_store

    settings = read(config)
    endpoint, ca = _endpoint(settings), certificate_path(settings)
    folder = platformdirs.user_cache_path("everbearer") / "trust"
    users = bool(settings.proxy.users)
    if users and (tool is None or not RECIPES[tool].asks):
        voice.warn(_USERS)
    if tool is not None:
        store = trust_store(folder)
        facts = Facts(endpoint, ca, folder / "bundle.pem", store, users=users)
        if ca.exists():
            _write(folder, ca)
        warn_if_missing(ca)
        voice.result(voice.pasteable(RECIPES[tool].text(facts)))
        return
    variables = proxy_variables(endpoint, settings.ruled, os.environ)
    variables |= _write(folder, ca)
    place = endpoint.host, endpoint.port
    variables |= marks(place, os.environ, marked(os.environ) | {place})
    store, past = trust_store(folder), variables["NO_PROXY"]
    variables[JAVA] = java_options(endpoint, store, past, _outside(folder))
    voice.result(statements(shell or _shell(), variables))


def _endpoint(settings: Settings) -> Endpoint:
    listener = next((each for each in settings.listeners if not each.reverse), None)
    if listener is None:
        raise ConfigError(
            Problem(
                "listeners",
                "none is an explicit proxy",
                'add [[listeners]] with address = "127.0.0.1:8080"',
            )
        )
    return Endpoint(listener.address.host, listener.address.port)


def _write(folder: Path, ca: Path) -> Mapping[str, str]:
    from everbearer.clients.trust_files import keep_trust

    if not ca.exists():
        raise EverbearerError(f"{ca} is not there yet", hint=FIRST_START)
    return keep_trust(folder, ca, _outside(folder), time.time())


def _outside(folder: Path) -> dict[str, str]:
    """Return the environment without what an earlier call has put there."""
    return {k: v for k, v in os.environ.items() if str(folder) not in v}


def _shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    return name if name in SHELLS else "sh"
