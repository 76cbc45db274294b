"""Variables as a shell takes them, whatever is in them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    # In single quotes fish knows two escapes, of the quote and of itself.
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


SHELLS: Final[Mapping[str, Callable[[str, str], str]]] = {"sh": _sh, "fish": _fish}
"""How each shell sets a variable for itself and what it starts."""


def statements(shell: str, variables: Mapping[str, str]) -> str:
    """Return lines for `eval`."""
    return "\n".join(SHELLS[shell](name, value) for name, value in variables.items())
