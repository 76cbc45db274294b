"""`everbearer ca`: where the proxy's CA is, and who trusts it."""

from __future__ import annotations

import datetime as dt
import json
import shlex
import sys
from os import geteuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.cli.asking import agree
from everbearer.cli.authority import (
    certificate_path,
    warn_if_missing,
    warn_of_doubts,
)
from everbearer.cli.configuration import file_option, json_option, read
from everbearer.clients.system_trust import as_root, this_system
from everbearer.errors import ConfigError, EverbearerError, Problem
from everbearer.settings.model import Ca

if TYPE_CHECKING:
    from everbearer.clients.system_trust import Commands
    from everbearer.settings.model import Settings


@click.command(epilog="\b\nExample:\n  everbearer ca -c box/all.toml")
@file_option
@json_option
@click.option("--install", is_flag=True, help="Have this system trust the own CA.")
@click.option("--uninstall", is_flag=True, help="Undo that.")
@click.option("--renew", "anew", is_flag=True, help="Make the own CA anew.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def command(
    config: Path | None,
    *,
    as_json: bool,
    install: bool,
    uninstall: bool,
    anew: bool,
    yes: bool,
) -> None:
    """
    Tell where the proxy's CA is, whom it may speak for, and until when.

    With `proxy.ca = "own"` it is one that can speak for the rules' hosts alone.
    Only such a one is ever installed: mitmproxy's could speak for every host,
    and whoever read its key could deceive you about your bank.
    """
    if install + uninstall + anew > 1:
        raise click.UsageError("one of --install, --uninstall and --renew at a time")
    if uninstall:
        # What was installed may be taken back whatever the configuration says now.
        _uninstall(yes)
        return
    settings = read(config)
    if install or anew:
        _require_own(settings)
    if anew:
        voice.say("whoever trusts the own CA that is there must trust the new one")
        _confirm("replace the own CA", yes, "the own CA is as it was")
        from everbearer.clients.own_authority import own_folder, renew

        renew(own_folder(), settings.ruled, dt.datetime.now(dt.UTC))
        voice.hint("a proxy that runs shows the old one: restart it")
    path = certificate_path(settings)
    if install:
        _tell_system(path, yes, remove=False)
        return
    warn_of_doubts(settings)
    told = _told(settings, path)
    if as_json:
        voice.result(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        voice.result(f"{name.replace('_', ' '):11} {shown}")
    warn_if_missing(path)
    voice.hint("what a tool needs: everbearer env --for TOOL")
    commands = _commands(path, remove=False)
    if settings.proxy.ca is Ca.OWN and commands:
        words = "; ".join(map(shlex.join, commands))
        voice.hint(f"everbearer ca --install has this system trust it: {words}")


def _require_own(settings: Settings) -> None:
    if settings.proxy.ca is not Ca.OWN:
        raise ConfigError(
            Problem(
                "proxy.ca",
                "is mitmproxy's CA, which could speak for every host there is",
                'write: ca = "own", for one that speaks for the rules\' hosts alone',
            )
        )


def _uninstall(yes: bool) -> None:
    from everbearer.clients.own_authority import certificate_file, own_folder

    path = certificate_file(own_folder())
    if not path.exists():
        raise EverbearerError(
            f"there is no own CA at {path}",
            hint="nothing was installed from here; another is taken back by hand",
        )
    _tell_system(path, yes, remove=True)


def _tell_system(path: Path, yes: bool, *, remove: bool) -> None:
    commands = _commands(path, remove=remove)
    if not commands:
        raise EverbearerError(
            "nobody knows how this system is told whom to trust",
            hint=f"do it by hand; the certificate is {path}",
        )
    _run(commands, yes)


def _told(settings: Settings, path: Path) -> dict[str, str | list[str]]:
    told: dict[str, str | list[str]] = {
        "kind": settings.proxy.ca.value,
        "certificate": voice.printable(str(path)),
    }
    if not path.exists():
        return told
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    from everbearer.certificates import permitted_names

    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return told | {
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(":"),
        "until": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        "speaks_for": list(permitted_names(certificate)) or ["every host"],
    }


def _commands(path: Path, *, remove: bool) -> Commands:
    """Return what this system is told by; nothing where nobody knows."""
    system = this_system(sys.platform, Path.home(), Path.is_dir)
    if system is None:
        return ()
    commands = system.uninstall(path) if remove else system.install(path)
    return as_root(commands) if system.needs_root and geteuid() else commands


def _run(commands: Commands, yes: bool) -> None:
    for words in commands:
        voice.say(f"to be run: {shlex.join(words)}")
    _confirm("run these commands", yes, "nothing was run")
    import subprocess

    for words in commands:
        # What they print is no result of ours.
        code = subprocess.run(words, stdout=sys.stderr, check=False).returncode  # noqa: S603 - shown above
        if code:
            raise EverbearerError(
                f"{words[0]} ended with exit code {code}",
                hint="see above; nothing after it was run",
            )
    voice.say("done")


def _confirm(what: str, yes: bool, undone: str) -> None:
    """Ask; who cannot be asked has to say so beforehand."""
    if yes:
        return
    agree(
        f"{what}?",
        unasked=Problem("", f"nobody can be asked: {what}?", "agree to it by --yes"),
        declined=Problem("", undone, ""),
    )
