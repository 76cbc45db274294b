"""
How everbearer speaks to people; the manners are age's.

- Results go to standard output, bare: another program may read them.
- Everything else goes to standard error with an "everbearer:" prefix.
- No capitalised initials and no periods at the end.
- Nobody who reads it any more is no reason to stop: that is for results only.
- Nothing that others chose (paths, names, a server's words) reaches a terminal
  with a control character in it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import click

from everbearer.errors import EverbearerError, reason_of
from everbearer.settings.locate import in_full

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from everbearer.errors import Problem

_source: ContextVar[Path | None] = ContextVar("_source", default=None)


def speak_of(source: Path | None) -> None:
    """Name this configuration in every command told, where it has to be named."""
    _source.set(source)


def pasteable(text: str) -> str:
    """Return *text* with the configuration in its commands, as they are told here."""
    return in_full(text, _source.get())


def say(text: str, colour: str | None = None) -> None:
    """Tell something on standard error."""
    _line(text, colour)


def warn(text: str) -> None:
    """Tell what may go wrong."""
    _line(f"warning: {text}", "yellow")


def error(text: str, then: str = "") -> None:
    """Tell what went wrong, line by line, and what to do about it, if known."""
    for line in text.splitlines():
        _line(f"error: {line}", "red")
    hint(then)


def mistakes(problems: Iterable[Problem]) -> None:
    """Tell each problem of a configuration, with its own way out."""
    for problem in problems:
        where = f"{problem.path}: " if problem.path else ""
        error(f"{where}{problem.message}", problem.fix)


def hint(text: str) -> None:
    """Tell what to do, if there is something."""
    if text:
        _line(f"hint: {text}", "cyan")


def result(text: str) -> None:
    """Print a result on standard output; EverbearerError where it does not fit."""
    try:
        click.echo(text, color=coloured())
    except BrokenPipeError:
        raise
    except OSError as failure:
        why = reason_of(failure)
        raise EverbearerError(
            f"standard output cannot be written: {why}",
            hint="make room there, or write it elsewhere",
        ) from None


def coloured() -> bool | None:
    """
    Return False where the user wants no colours (https://no-color.org).

    None leaves it to whether the stream is a terminal.
    """
    return False if os.environ.get("NO_COLOR") else None


def printable(text: str) -> str:
    """Return *text* with everything that a terminal could obey made visible."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


def fall_silent() -> None:
    """
    Drop what cannot be written any more, before the program exits.

    Python would try to write it a last time, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        # None: it was closed from the start.
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _line(text: str, colour: str | None) -> None:
    prefix = click.style("everbearer:", dim=True)
    shown = printable(pasteable(text))
    styled = click.style(shown, fg=colour) if colour else shown
    # A closed terminal, a pipe whose reader has gone (OSError), a closed stream.
    with suppress(OSError, ValueError):
        click.echo(f"{prefix} {styled}", err=True, color=coloured())
