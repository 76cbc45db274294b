"""A JSON object from another program, each member read with its type."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Members:
    """
    The members of one object; `place` is the way to it, with a dot at its end.

    What is wrong is a ValueError that names the member, never its value.
    """

    place: str
    values: Mapping[str, object] = field(repr=False)

    def text(self, name: str) -> str:
        """Return a text that is not blank, without the space around it."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{self.place}{name} is missing or not a text")
        return value.strip()

    def optional(self, name: str) -> str:
        """Return a text or, as text, a whole number; "" for null and none."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return "" if value is None or value == "" else self.text(name)

    def secret(self, name: str) -> Secret:
        """Return a text that nobody is to see."""
        return Secret(self.text(name))

    def inner(self, name: str) -> Members:
        """Return the members of an object in it."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise ValueError(f"{self.place}{name} is missing or not an object")  # noqa: TRY004 - the file is wrong, not the caller
        return Members(f"{self.place}{name}.", value)


def read_members(text: str, fix: str) -> Members:
    """Return a file's one object; ValueError tells the place, and *fix*."""
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        # Only the place: the error itself holds the whole file, so it must not
        # become the context of another one.
        trouble = f"no valid JSON at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        trouble = "no valid JSON"
    else:
        if isinstance(document, dict):
            return Members("", document)
        trouble = "no JSON object"
    raise ValueError(f"this is {trouble}; {fix}")
