"""Unexpected failures in the log: where and what kind, never what they held."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress

logger = logging.getLogger(__name__)


def report(what: str, error: BaseException) -> None:
    """
    Log an unexpected *error* with its stack, without its text; never raises.

    Whoever raised it did not write for our log: a UnicodeEncodeError, say,
    quotes the whole string that it failed on. What a handler of the log raises
    must not turn a failure that was contained into one that was not.
    """
    with suppress(Exception):
        stack = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s: %s\n%s", what, type(error).__name__, stack.rstrip())
