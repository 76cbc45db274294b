"""`everbearer export`: what other tools need to work with the proxy."""

from __future__ import annotations

import json
from pathlib import Path

import click

from everbearer.cli import voice
from everbearer.providers.box_postman import postman_environment


@click.group(epilog="\b\nExample:\n  everbearer export postman")
def command() -> None:
    """Write what another tool needs to work with the proxy."""


@command.command(epilog="\b\nExample:\n  everbearer export postman -o box.json")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A new file, in place of standard output.",
)
def postman(output: Path | None) -> None:
    """
    Write a Postman environment for Box's collections; there is no secret in it.

    Import it into Postman, or give it to Newman with -e. Where a request would
    have its access token it has a placeholder: the proxy knows it for none.
    """
    text = json.dumps(postman_environment(), indent=2)
    if output is None:
        voice.result(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise click.UsageError(
            f"{output} exists, and is not overwritten; remove it, or name another file"
        ) from None
    except OSError as error:
        raise click.UsageError(
            f"{output} cannot be written: {error.strerror}"
        ) from error
    voice.say(f"wrote {output}: import it into Postman, or: newman run -e {output} …")
