"""How an error of ours is told, and which exit code it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.cli import voice
from everbearer.errors import ConfigError

if TYPE_CHECKING:
    from everbearer.errors import EverbearerError


def failed(error: EverbearerError) -> int:
    """Tell what went wrong; each mistake of a configuration has a fix of its own."""
    if not isinstance(error, ConfigError):
        voice.error(error.message, error.hint)
        return error.exit_code
    voice.mistakes(error.problems)
    if error.hint != error.default_hint:
        voice.hint(error.hint)
    return error.exit_code
