"""Tables of what was measured, for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024

type Value = float | str | None
type Shown = Callable[[Any], str]


@dataclass(frozen=True)
class Column:
    """A column's name and how its values are shown."""

    name: str
    shown: Shown = str


@dataclass
class Section:
    """
    One table; a row's first value says what it is of.

    What `failures` names went wrong: the run goes on, but has failed.
    """

    title: str
    columns: Sequence[Column]
    rows: list[list[Value]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    rounds: Any = None
    """Every single measurement, for programs alone."""

    def lines(self) -> list[str]:
        """Return the table in plain text."""
        shown = [[column.name for column in self.columns]]
        shown += [
            [
                "-" if value is None else _text(column, value)
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        table = [
            "  ".join(
                text.rjust(width) if place else text.ljust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in shown
        ]
        failed = [f"FAILED {failure}" for failure in self.failures]
        return [self.title, *table, *self.notes, *failed]

    def json(self) -> dict[str, Any]:
        """Return it for a file."""
        names = [column.name for column in self.columns]
        return {
            "title": self.title,
            "rows": [dict(zip(names, row, strict=True)) for row in self.rows],
            "notes": self.notes,
            "failures": self.failures,
            "rounds": self.rounds,
        }


def _text(column: Column, value: Value) -> str:
    return value if isinstance(value, str) else column.shown(value)


def count(value: float) -> str:
    """Show a whole number."""
    return f"{value:.0f}"


def times(value: float) -> str:
    """Show a ratio."""
    return f"{value:.2f} x"


def milliseconds(value: float) -> str:
    """Show seconds as milliseconds."""
    return f"{value * 1e3:.2f}"


def mib(value: float) -> str:
    """Show bytes as MiB."""
    return f"{value / MIB:.1f}"


def share(value: float) -> str:
    """Show a part of one core."""
    return f"{value:.0%}"


def median(values: Iterable[float | None]) -> float | None:
    """Return the median; None where one was not measured, or none was."""
    found = list(values)
    known = [each for each in found if each is not None]
    return statistics.median(known) if known and known == found else None


def ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    """
    Return the median of the ratios within each round.

    What troubles the machine for a while troubles both of a round alike.
    """
    return median(
        None if not a or not b else a / b for a, b in zip(ours, theirs, strict=True)
    )
