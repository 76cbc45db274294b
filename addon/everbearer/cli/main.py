"""
The command `everbearer`: which commands there are, and how they end.

A command's module is imported when the command runs, so that `--help` and the
shell's completion answer at once. Each module has a click command of the name
`command`.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn, override

import click
from click.shell_completion import CompletionItem

from everbearer import __version__
from everbearer.cli import voice
from everbearer.errors import ConfigError, EverbearerError
from everbearer.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = {
    "serve": "run the proxy",
    "sandbox": "run a local Box to try things with",
    "demo": "show what everbearer does: no account, no network",
    "check": "read the configuration and report every problem at once",
    "explain": "tell what would happen to a request, without sending it",
    "status": "show the state of every profile's token",
    "renew": "obtain a new access token now",
    "token": "print a valid access token",
    "store": "tell where the store is, verify it, make it",
    "completion": "print the completion script of a shell",
}

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
_PIPE_CLOSED: Final = 141  # 128 + SIGPIPE
_USAGE: Final = 2


class _Commands(click.Group):
    """The commands of the table, each imported when it is needed."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"everbearer.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = nearest(args[0], COMMANDS)
            if meant is None:
                raise
            raise click.UsageError(
                f"no such command {args[0]!r}, did you mean {meant}?", ctx
            ) from error

    @override
    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    @override
    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=summary)
            for name, summary in COMMANDS.items()
            if name.startswith(incomplete)
        ]


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  everbearer demo",
)
@click.version_option(__version__, message="everbearer %(version)s")
def everbearer() -> None:
    """
    Make every request to the Box API carry a valid access token.

    everbearer is a proxy that holds the credentials, so that curl, Postman and
    every other tool need not. Results go to standard output, everything else
    to standard error.

    \b
    Exit codes:
      2  the command line or the configuration is wrong
      3  the store of tokens cannot be used
      4  no access token: the grant is dead or refused
      5  the token endpoint cannot be reached now
    """  # noqa: D301 - \b is click's mark for text that it must not wrap


def main() -> NoReturn:
    """Run the command line and exit."""
    code = run(sys.argv[1:], sys.platform)
    voice.fall_silent()
    sys.exit(code)


def run(arguments: Sequence[str], platform: str) -> int:
    """Run one command line and return its exit code."""
    if platform == "win32":
        voice.error(
            "Windows is not supported until file permissions are checked there",
            "use the Windows Subsystem for Linux",
        )
        return _USAGE
    try:
        code = everbearer.main(
            list(arguments), prog_name="everbearer", standalone_mode=False
        )
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _misused(error)
    except EverbearerError as error:
        return _failed(error)
    except BrokenPipeError:
        # What reads our output has ended (`| head`); flushing at exit must not
        # complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code if isinstance(code, int) else 0


def _misused(error: click.ClickException) -> int:
    """Tell in our manners what click found wrong with the command line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return _USAGE
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    voice.error(
        (message[:1].lower() + message[1:]).removesuffix("."),
        f"run: {context.command_path} --help" if context else "",
    )
    return error.exit_code


def _failed(error: EverbearerError) -> int:
    """Tell what went wrong; each mistake of a configuration has a fix of its own."""
    if not isinstance(error, ConfigError):
        voice.error(error.message, error.hint)
        return error.exit_code
    voice.mistakes(error.problems)
    if error.hint != error.default_hint:
        voice.hint(error.hint)
    return error.exit_code
