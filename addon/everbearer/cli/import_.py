"""`everbearer import`: a profile made from what the user already has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from everbearer.cli import voice
from everbearer.cli.adopting import Wish, options, replace_option
from everbearer.cli.asking import agree
from everbearer.errors import Problem
from everbearer.providers import box_cli as cli_files
from everbearer.providers import postman as postman_files
from everbearer.providers.box_config import parse_config_file
from everbearer.providers.foreign import ForeignProfile, from_box_config
from everbearer.secret import Secret

if TYPE_CHECKING:
    from everbearer.settings.foreign import BoxCli

_file_argument = click.argument("file", type=click.Path(path_type=Path))
_refresh_token_option = click.option(
    "--refresh-token",
    type=click.Choice(["move", "leave"]),
    help="Take the refresh token from the other program, which has to log in again "
    "then, or leave it there and log in with everbearer login. Asked without.",
)


@click.group(epilog="\b\nExample:\n  everbearer import box-jwt box/jwt_config.json")
def command() -> None:
    """
    Make a profile from what another program has.

    Secrets go into the system's keyring or into files of mode 0600, never into
    the configuration, whose comments are kept.
    """


@command.command(
    "box-jwt", epilog="\b\nExample:\n  everbearer import box-jwt box_config.json"
)
@_file_argument
@options("jwt")
@replace_option
def box_jwt(file: Path, **wish: Any) -> None:
    """
    Import the JSON file of Box's developer console for an app with a key pair.

    Its parts are copied: the file is not needed afterwards.
    """
    from everbearer.settings.foreign import read

    identity = read(file, lambda text: from_box_config(parse_config_file(text)))
    Wish(**wish).carry_out(
        identity,
        "Imported from the JSON file of Box's developer console.",
        "jwt",
        leaving=_leftover(file),
    )


@command.command(
    "postman",
    epilog="\b\nExample:\n  everbearer import postman box.postman_environment.json",
)
@_file_argument
@options("that of Postman's environment")
@replace_option
@_refresh_token_option
def postman(file: Path, refresh_token: str | None, **wish: Any) -> None:
    """
    Import an environment that Postman exported, of either collection of Box.

    What everbearer then adds to Postman's requests need not stand in the
    environment any more.
    """
    from everbearer.settings.foreign import read

    identity = read(file, postman_files.parse_environment)
    if identity.refresh_token and not _moved(
        refresh_token,
        "Postman must not refresh with it any more: empty the variable refresh_token"
        " in its environment, and in every copy of the export",
        asking=not wish["dry_run"],
    ):
        identity = replace(identity, refresh_token=None)
    Wish(**wish).carry_out(
        identity,
        "Imported from an environment of Postman.",
        "postman",
        leaving=_leftover(file),
    )


@command.command("box-cli", epilog="\b\nExample:\n  everbearer import box-cli ~/.box")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--environment", metavar="NAME", help="Which of several.", default="")
@options("that of the Box CLI's environment")
@replace_option
@_refresh_token_option
def box_cli(
    folder: Path | None, environment: str, refresh_token: str | None, **wish: Any
) -> None:
    """
    Import an environment of the Box CLI, from the keyring or from ~/.box.

    With FOLDER only files there are looked at. A login is moved, if you agree:
    the Box CLI has to log in again.
    """
    from everbearer.settings.foreign import find_box_cli

    theirs = find_box_cli(folder, Path.home())
    identity, tokens = _of_box_cli(theirs, environment)
    handover, leaving = None, ""
    if tokens is not None:
        if _moved(
            refresh_token,
            "the Box CLI loses it and has to log in again (box login), which gives it"
            " one of its own",
            asking=not wish["dry_run"],
        ):
            handover = tokens.taken()
            leaving = f"the Box CLI has no login {identity.name} any more: {tokens}"
        else:
            identity = replace(identity, refresh_token=None)
    Wish(**wish).carry_out(
        identity, "Imported from the Box CLI.", "box-cli", handover, leaving
    )


def _of_box_cli(theirs: BoxCli, wanted: str) -> tuple[ForeignProfile, Any]:
    """Return an environment's identity and, for a login, what has its tokens."""
    from everbearer.settings.foreign import parsed, read

    kept = theirs.environments()
    found = parsed(
        str(kept), kept.text, lambda text: cli_files.parse_environments(text, wanted)
    )
    identity = found.profile
    if found.config_file:
        key = read(Path(found.key_file), Secret) if found.key_file else None

        def parse(text: str) -> ForeignProfile:
            app = parse_config_file(text, key)
            return from_box_config(app, identity.name, identity.as_user)

        return read(Path(found.config_file), parse), None
    if identity.grant != "refresh_token":
        return identity, None
    tokens = theirs.tokens(found)
    seed = tokens and parsed(str(tokens), tokens.text, cli_files.parse_token_cache)
    return replace(identity, refresh_token=seed or None), tokens if seed else None


def _moved(choice: str | None, consequence: str, *, asking: bool) -> bool:
    """Tell whether the refresh token is to be moved; a person may be asked."""
    if choice == "leave":
        return False
    voice.say("a refresh token serves one program: it is moved, never copied")
    voice.say(consequence)
    if choice == "move" or not asking:
        return True
    agree(
        "move it?",
        unasked=Problem(
            "",
            "nobody said what becomes of the refresh token",
            "write --refresh-token move, or --refresh-token leave and log in"
            " with everbearer login",
        ),
        declined=Problem(
            "",
            "the refresh token stays where it is, and nothing was written",
            "to import the rest: --refresh-token leave",
        ),
    )
    return True


def _leftover(file: Path) -> str:
    return f"{file} still holds the secrets, and is not needed any more"
