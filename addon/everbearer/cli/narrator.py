"""What the demo prints: scenes, commands, answers, and whether claims hold."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_BODY: Final = 100  # characters that are shown


@dataclass(slots=True)
class Narrator:
    """Prints, and counts which claims were kept."""

    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        """Begin a scene."""
        voice.result("\n" + click.style(text, bold=True))

    def command(self, program: str, arguments: Sequence[str]) -> None:
        """Show a command as a person types it."""
        self.shell(shlex.join([program, *arguments]))

    def shell(self, line: str) -> None:
        """Show a line for a shell."""
        voice.result(click.style(f"  $ {line}", fg="cyan"))

    def answer(self, body: str, status: int) -> None:
        """Show the body, shortened, and the status."""
        text = voice.printable(body)
        short = text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}…"
        for line in filter(None, (short, str(status))):
            voice.result(f"  {line}")

    def quote(self, who: str, line: str) -> None:
        """Show what a child said."""
        text = voice.printable(line.removeprefix("everbearer: "))
        voice.result(click.style(f"  {who}: {text}", dim=True))

    def note(self, text: str) -> None:
        """Tell something that is not claimed."""
        voice.result(f"  {text}")

    def claim(self, holds: bool, text: str) -> None:
        """Tell whether a claim was kept."""
        (self.kept if holds else self.broken).append(text)
        mark, colour = ("ok", "green") if holds else ("NOT AS CLAIMED", "red")
        voice.result(click.style(f"  {mark}: {text}", fg=colour))
