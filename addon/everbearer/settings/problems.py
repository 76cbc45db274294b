"""Every mistake of a configuration, gathered until all have been found."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from everbearer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

type Where = tuple[str | int, ...]
"""The way to a value: keys of tables and positions in arrays, counted from 0."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


class Mistake(ValueError):  # noqa: N818 - of the user, not of the program
    """
    Something that cannot be used, told by one who does not know its place.

    `message` and `fix` are those of a Problem; neither holds a secret.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class Problems:
    """
    What is wrong so far, by place.

    A place that has a problem is not judged a second time: what follows from a
    mistake is not another mistake.
    """

    def __init__(self) -> None:
        self._found: list[tuple[Where, Problem]] = []

    def add(self, where: Where, message: str, fix: str = "") -> None:
        """Note one mistake and its corrected form; neither holds a secret."""
        self._found.append((where, Problem(spell(where), message, fix)))

    def note(self, where: Where, mistake: Mistake) -> None:
        """Note a mistake whose place is known only now."""
        self.add(where, mistake.message, mistake.fix)

    def missing(self, where: Where, example: str) -> None:
        """Note that a key is not there, unless what is known of it explains that."""
        if not self.about(*where):
            self.add(where, "is missing", f"write, for example: {example}")

    def about(self, *where: str | int) -> bool:
        """Tell whether this value, something in it or all around it is wrong."""
        return self.lost(*where) or any(
            found[: len(where)] == where for found, _ in self._found
        )

    def lost(self, *where: str | int) -> bool:
        """Tell whether this value as a whole, or all around it, is wrong."""
        return any(where[: len(found)] == found for found, _ in self._found)

    def ordered(self) -> tuple[Problem, ...]:
        """Return every mistake, in the order of places."""
        ordered = sorted(self._found, key=lambda found: _order(found[0]))
        return tuple(problem for _, problem in ordered)


def _order(where: Where) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in where]


def spell(where: Where) -> str:
    """Return the place as TOML writes keys, positions in brackets."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            # JSON's escapes are TOML's, and no control character gets through.
            key = part if _BARE_KEY.match(part) else json.dumps(part)
            text += f".{key}" if text else key
    return text


def quote(text: str) -> str:
    """Return the text as a TOML string without control characters."""
    return json.dumps(text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, None where none is near."""
    # Slow to load, and for mistakes alone.
    import difflib  # noqa: PLC0415 - see above

    lowered = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(
        word.lower().replace("-", "_"), lowered, n=1, cutoff=0.6
    )
    return lowered[close[0]] if close else None


def unknown_profile(name: str, known: Iterable[str]) -> ConfigError:
    """Return what is told of a name that no profile has: the one that was meant."""
    known = tuple(known)
    meant = nearest(name, known)
    names = listing([meant] if meant else known) if known else ""
    fix = f"write: {names}" if names else "add it to the configuration"
    return ConfigError(Problem("", f"there is no profile {name!r}", fix))


def listing(words: Iterable[str], conjunction: str = "or") -> str:
    """Return `"a", "b" or "c"`."""
    *most, last = map(quote, words)
    return f"{', '.join(most)} {conjunction} {last}" if most else last
