"""What a person is asked on the terminal; standard input may be closed, too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable


def somebody() -> bool:
    """Tell whether there is a person to ask."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def standard_input() -> str:
    """Return all of it; nothing where it is closed."""
    return sys.stdin.read() if sys.stdin is not None else ""


def asked[T](
    what: str,
    option: str,
    parse: Callable[[str], T],
    *,
    how: str = "",
    hidden: bool = False,
) -> T:
    """
    Return what a person types on the terminal, asked until it parses.

    Raises ConfigError, which names the option, where there is nobody to ask.
    """
    if not somebody():
        raise ConfigError(
            Problem("", f"{what} is not given", f"write it as: {option}"),
        )
    while True:
        typed: str = click.prompt(
            f"{what} ({how})" if how else what, hide_input=hidden, err=True
        )
        try:
            return parse(typed.strip())
        except ConfigError as error:
            voice.mistakes(error.problems)


def twice(what: str) -> str:
    """Return what a person types unseen, the same a second time."""
    while True:
        typed: str = click.prompt(what, hide_input=True, err=True)
        if click.prompt(f"{what} once more", hide_input=True, err=True) == typed:
            return typed
        voice.error("the two are not the same")


def confirmed(question: str) -> bool:
    """Return a person's yes or no, which is asked until it is one."""
    while True:
        typed = click.prompt(
            f"{question} [y/N]", default="", show_default=False, err=True
        )
        answer = str(typed).strip().lower()
        if answer in {"y", "yes"}:
            return True
        if answer in {"", "n", "no"}:
            return False
        voice.error("that is neither yes nor no")


def agree(question: str, *, unasked: Problem, declined: Problem) -> None:
    """
    Return once a person has said yes.

    Raises ConfigError: *declined* after a no, *unasked* where nobody is there.
    """
    if not somebody():
        raise ConfigError(unasked)
    if not confirmed(question):
        raise ConfigError(declined)
