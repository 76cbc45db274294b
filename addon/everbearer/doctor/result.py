"""What a check says, and how the whole ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, EverbearerError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(Enum):
    """How bad it is; SKIP: it could not be looked at, which is nobody's fault."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Result:
    """
    One line: what was looked at, how it is, and what mends it.

    `exit_code` is that of the error that a failure is, 0 for all else. Nothing
    here holds a secret.
    """

    level: Level
    what: str
    detail: str
    fix: str = ""
    exit_code: int = 0


def ok(what: str, detail: str) -> Result:
    """Return that all is well."""
    return Result(Level.OK, what, detail)


def warn(what: str, detail: str, fix: str = "") -> Result:
    """Return what works, or may be meant, but probably is not what is wanted."""
    return Result(Level.WARN, what, detail, fix)


def skip(what: str, why: str) -> Result:
    """Return why something was not looked at."""
    return Result(Level.SKIP, what, why)


def failed(what: str, error: EverbearerError) -> tuple[Result, ...]:
    """Return an error as failures; each mistake of a configuration is one."""
    if isinstance(error, ConfigError):
        return tuple(
            Result(
                Level.FAIL,
                what,
                f"{each.path}: {each.message}" if each.path else each.message,
                each.fix,
                error.exit_code,
            )
            for each in error.problems
        )
    return (Result(Level.FAIL, what, error.message, error.hint, error.exit_code),)


def exit_code(results: Iterable[Result]) -> int:
    """Return the code of the first failure, 0 without one."""
    return next((r.exit_code for r in results if r.level is Level.FAIL), 0)
