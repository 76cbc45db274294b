"""`everbearer init`: a configuration, or a profile more, by a few questions."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from everbearer.cli import voice
from everbearer.cli.adopting import Wish, options, replace_option
from everbearer.cli.asking import asked, somebody, standard_input
from everbearer.cli.configuration import located
from everbearer.errors import ConfigError, Problem
from everbearer.providers.box_config import parse_config_file
from everbearer.providers.foreign import ForeignProfile, from_box_config
from everbearer.secret import Secret

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Subject

_GRANTS: Final = {
    "refresh_token": "log in with your own Box account, through an app of yours",
    "jwt_bearer": "an app with a key pair, and the JSON file of the developer console",
    "client_credentials": "an app with client id and secret alone",
    "developer_token": "an hour of access, to try something out",
}
_NUMBERS: Final = f"1 to {len(_GRANTS)}"


@click.command(
    epilog="\b\nExample:\n  everbearer init -c mine.toml --client-id abc "
    "--grant refresh_token --secret-from file:box/dev_client_secret.txt"
)
@click.option("--grant", type=click.Choice(list(_GRANTS)), help="How to get tokens.")
@click.option("--client-id", metavar="ID", help="The app's, from its page at Box.")
@click.option(
    "--secret-from",
    metavar="SOURCE",
    help="Where the client secret (or the developer token) is read: env:NAME, "
    "file:PATH, or - for standard input. Asked without.",
)
@click.option(
    "--subject",
    metavar="TYPE:ID",
    help="Whom tokens act for: enterprise:ID or user:ID (client_credentials).",
)
@click.option(
    "--jwt",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The JSON file of Box's developer console (jwt_bearer).",
)
@options("dev")
@replace_option
def command(
    grant: str | None,
    client_id: str | None,
    secret_from: str | None,
    subject: str | None,
    jwt: Path | None,
    **wish: Any,
) -> None:
    """
    Write a first configuration; what the options do not say is asked.

    One that is there is changed with --profile alone: it gets that profile more,
    and its comments are kept. Secrets go into the system's keyring or into files
    of mode 0600.
    """
    path = located(wish["config"])
    if wish["profile"] is None and (path.exists() or path.is_symlink()):
        raise ConfigError(
            Problem(
                "",
                f"{path} exists already, and is left alone",
                "to add a profile, run: everbearer init --profile NAME; else name"
                " another file with -c",
            )
        )
    grant = grant or ("jwt_bearer" if jwt else _asked_grant())
    _refuse_unused(
        grant, client_id=client_id, secret_from=secret_from, subject=subject, jwt=jwt
    )
    if grant == "jwt_bearer":
        from everbearer.settings.foreign import read

        file = jwt or asked(
            "the JSON file of the developer console", "--jwt FILE", Path
        )
        identity = read(
            file.expanduser(), lambda text: from_box_config(parse_config_file(text))
        )
    elif grant == "developer_token":
        token = _secret("developer token", secret_from)
        identity = ForeignProfile("", access_token=token)
    else:
        identity = ForeignProfile(
            grant,
            client_id=client_id or asked("client id", "--client-id ID", str),
            client_secret=_secret("client secret", secret_from),
        )
    if grant == "client_credentials":
        whom = _subject(subject) if subject else _asked_subject()
        identity = replace(identity, subject=whom)
    Wish(**wish).carry_out(
        identity, f"{_GRANTS[grant][0].upper()}{_GRANTS[grant][1:]}.", "dev"
    )


def _asked_grant() -> str:
    if somebody():
        for number, (name, meaning) in enumerate(_GRANTS.items(), 1):
            voice.say(f"{number}  {meaning} ({name})")
    how = f"{_NUMBERS}, or the name"
    return asked("grant", f"--grant {'|'.join(_GRANTS)}", _grant, how=how)


def _grant(typed: str) -> str:
    """Return the grant that is meant by its number, its name or its beginning."""
    names = list(_GRANTS)
    if typed.isdecimal() and 0 < int(typed) <= len(names):
        return names[int(typed) - 1]
    meant = [name for name in names if typed and name.startswith(typed.lower())]
    if len(meant) == 1:
        return meant[0]
    fix = f"{_NUMBERS}, or one of: {', '.join(names)}"
    raise ConfigError(Problem("", "there is no such grant", fix))


def _refuse_unused(grant: str, **given: object) -> None:
    used = {
        "refresh_token": {"client_id", "secret_from"},
        "jwt_bearer": {"jwt"},
        "client_credentials": {"client_id", "secret_from", "subject"},
        "developer_token": {"secret_from"},
    }[grant]
    for name, value in given.items():
        if value is not None and name not in used:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                Problem("", f"{option} has no meaning with {grant}", "leave it out")
            )


def _asked_subject() -> Subject:
    how = "enterprise:ID or user:ID"
    option = "--subject enterprise:ID, or --subject user:ID"
    return asked("subject", option, _subject, how=how)


def _subject(text: str) -> Subject:
    from everbearer.oauth.grants.contract import Subject

    kind, _, number = text.partition(":")
    try:
        return Subject(kind, number)
    except ValueError as error:
        problem = Problem("", str(error), "write, for example: enterprise:1234567")
    raise ConfigError(problem)


def _secret(what: str, source: str | None) -> Secret:
    """Return what the source gives, or a person types without seeing it."""
    if source is None or (source == "-" and somebody()):
        text = asked(what, "--secret-from env:NAME, file:PATH or -", str, hidden=True)
    elif source == "-":
        text = standard_input()
    elif source.startswith("env:"):
        text = _variable(source.removeprefix("env:"))
    elif source.startswith("file:"):
        from everbearer.settings.foreign import read

        text = read(Path(source.removeprefix("file:")).expanduser(), str)
    else:
        # It may be the secret itself, so it is not told.
        raise ConfigError(
            Problem(
                "",
                "--secret-from takes no secret: who lists processes could read it",
                "write env:NAME, file:PATH or - (and if that was the secret, make"
                " another: your shell's history has this one)",
            )
        )
    if not text.strip():
        raise ConfigError(
            Problem("", f"the {what} is empty", "look at what --secret-from names")
        )
    return Secret(text.strip())


def _variable(name: str) -> str:
    if name not in os.environ:
        # It is not told: where a shell put the value there, it is the secret.
        raise ConfigError(
            Problem(
                "",
                "the variable that --secret-from env: names is not set",
                "export it, and write its name without $",
            )
        )
    return os.environ[name]
