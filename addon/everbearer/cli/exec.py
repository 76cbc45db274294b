"""`everbearer exec`: one command, with a proxy of its own."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice
from everbearer.cli.beside import Failed, start
from everbearer.cli.configuration import file_option

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.cli.beside import Beside

_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="\b\nExample:\n  everbearer exec -c box/all.toml -- "
    "curl -s https://api.box.com/2.0/users/me",
)
@file_option
@click.option(
    "-p",
    "--profile",
    metavar="PROFILE",
    help="Serves every request, whatever the command asks for.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell every request.")
@click.argument(
    "words",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    metavar="[--] COMMAND...",
)
def command(
    config: Path | None, profile: str | None, words: tuple[str, ...], *, verbose: bool
) -> int:
    """
    Run COMMAND with a private proxy, which ends with it.

    The command's environment leads curl, wget, git, Python, Node, Java, Go,
    Ruby and Deno to the proxy, and has them trust an authority that exists for
    this run alone. Variables that hold secrets of the configuration are taken
    out of it. Exit code, signals and terminal are the command's own.

    \b
    Exit codes, beside the command's:
      126  COMMAND is there and cannot be executed
      127  COMMAND is not found
    """  # noqa: D301 - \b is click's mark for text that it must not wrap

    def serve(beside: Beside) -> int:
        # The command need not wait for what only its proxy needs.
        from everbearer.cli import private

        return private.serve(beside, config, profile, verbose)

    try:
        variables = start(serve)
    except Failed as failure:
        return failure.code
    environment = {**os.environ}
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return _become(words, environment)


def _become(words: tuple[str, ...], environment: dict[str, str]) -> int:
    """Become the command; return what `env` exits with where that is impossible."""
    # Python ignores these two, and a command would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - what it is for
    except OSError as error:
        missing = error.errno in {errno.ENOENT, errno.ENOTDIR}
        reason = (error.strerror or "cannot be executed").lower()
        voice.error(f"{words[0]}: {'command not found' if missing else reason}")
        return _NOT_FOUND if missing else _NOT_EXECUTABLE
