"""
The command `everbearer`: which commands there are, and how they end.

A command's module is imported when the command runs, so that `--help` and the
shell's completion answer at once. Each module has a click command of the name
`command`.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, override

import click
from click.shell_completion import CompletionItem

from everbearer import __version__
from everbearer.cli import voice
from everbearer.cli.failing import failed
from everbearer.errors import EverbearerError
from everbearer.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMANDS: Final = {
    "init": "write a first configuration, or add a profile",
    "import": "make a profile from what another program has",
    "serve": "run the proxy",
    "exec": "run one command with a proxy of its own",
    "env": "print what leads a shell, or a tool, to the proxy",
    "ca": "tell where the proxy's CA is; have the system trust it",
    "sandbox": "run a local Box to try things with",
    "demo": "show what everbearer does: no account, no network",
    "check": "read the configuration and report every problem at once",
    "explain": "tell what would happen to a request, without sending it",
    "login": "log in by way of the browser",
    "logout": "revoke and delete a profile's tokens",
    "doctor": "find what is wrong with the set-up, and what mends it",
    "dashboard": "open the page that shows what the tokens do",
    "status": "show the state of every profile's token",
    "renew": "obtain a new access token now",
    "token": "print a valid access token",
    "user": "print the configuration of a proxy user",
    "store": "tell where the store is, verify it, make it",
    "export": "write a Postman environment without any secret",
    "completion": "print the completion script of a shell",
}

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
_PIPE_CLOSED: Final = 141  # 128 + SIGPIPE
_USAGE: Final = 2


class _NobodyReads(Exception):  # noqa: N818 - it is no error
    """What reads our output has ended (`| head`)."""


@contextmanager
def _ours_to_judge() -> Iterator[None]:
    """
    Keep a pipe without a reader from click and rich.

    Either would end the program with 1, as for what went wrong.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise _NobodyReads from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise _NobodyReads from error
        raise


class _Commands(click.Group):
    """The commands of the table, each imported when it is needed."""

    @override
    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _ours_to_judge():  # --help is printed here
            return super().make_context(*args, **kwargs)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with _ours_to_judge():
            return super().invoke(ctx)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"everbearer.cli.{name}")
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
        return _run(arguments)
    except (_NobodyReads, BrokenPipeError):
        # Flushing at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _run(arguments: Sequence[str]) -> int:
    voice.speak_of(None)  # until the command line names one
    try:
        code = everbearer.main(
            list(arguments), prog_name="everbearer", standalone_mode=False
        )
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _misused(error)
    except EverbearerError as error:
        return failed(error)
    return code if isinstance(code, int) else 0


def _misused(error: click.ClickException) -> int:
    """Tell in our manners what click found wrong with the command line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return _USAGE
    message = error.format_message()
    if isinstance(error, click.MissingParameter) and error.param is not None:
        message = _missing(error.param, message)
    context = error.ctx if isinstance(error, click.UsageError) else None
    voice.error(
        (message[:1].lower() + message[1:]).removesuffix("."),
        f"run: {context.command_path} --help" if context else "",
    )
    return error.exit_code


def _missing(parameter: click.Parameter, message: str) -> str:
    """Return the same message in one line, which click breaks for a choice."""
    if isinstance(parameter.type, click.Choice):
        choices = ", ".join(map(str, parameter.type.choices))
        return f"missing argument {parameter.human_readable_name}, one of: {choices}"
    return message.replace("[--] ", "").replace("...'", "'")
