"""`everbearer user`: the lines of the configuration that let somebody in."""

from __future__ import annotations

import json
import sys
from typing import Final

import click

from everbearer.cli import voice
from everbearer.cli.asking import somebody, twice
from everbearer.policy.users import is_name
from everbearer.secret import Secret
from everbearer.users.passwords import hashed, random_password

_SHORTEST: Final = 12
_LONGEST: Final = 1024


@click.command(epilog="\b\nExample:\n  everbearer user alice --generate")
@click.option(
    "--generate", is_flag=True, help="Make a password, and tell it on standard error."
)
@click.option(
    "-p",
    "--profile",
    "profiles",
    multiple=True,
    metavar="PROFILE",
    help="A profile that the user may use (default: all); may be repeated.",
)
@click.argument("name")
def command(name: str, profiles: tuple[str, ...], *, generate: bool) -> None:
    """
    Print the lines of the configuration for a proxy user.

    The password is asked for, or read from standard input (one line): it is
    never an argument, and only its argon2id hash is printed.
    """
    if not is_name(name):
        raise click.BadParameter(
            "a user's name has letters, digits and . _ @ + -, 64 at most",
            param_hint="NAME",
        )
    password = random_password() if generate else _asked()
    lines = ["[[proxy.users]]", f"name = {json.dumps(name)}"]
    lines.append(f"password_hash = {json.dumps(hashed(password).phc.reveal())}")
    if profiles:
        lines.append(f"profiles = {json.dumps(list(profiles))}")
    for line in lines:
        voice.result(line)
    if generate:
        # Not a result: those go into a file, and this never does.
        voice.say(f"the password of {name}, told once: {password.reveal()}")


def _asked() -> Secret:
    if somebody():
        text = twice("password")
    else:
        text = (sys.stdin.readline() if sys.stdin else "").removesuffix("\n")
        text = text.removesuffix("\r")
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isprintable():
        raise click.UsageError(
            f"a password has {_SHORTEST} to {_LONGEST} printable characters; or use"
            " --generate"
        )
    return Secret(text)
