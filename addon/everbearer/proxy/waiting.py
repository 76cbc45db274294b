"""
What mostly waits for nothing, written once for both.

A hook that is a coroutine costs mitmproxy a task for each request. Here it is a
generator of what must be waited for, and only who waits becomes a coroutine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Generator

    type Waits[T] = Generator[Awaitable[object], Any, T]
    """Gives what is waited for, is sent what came of it, and returns T."""


def begin(steps: Waits[None]) -> Coroutine[Any, Any, None] | None:
    """Do what can be done until somebody waits; return the rest, if any is left."""
    for first in steps:
        return _go_on(steps, first)
    return None


async def _go_on(steps: Waits[None], waited_for: Awaitable[object]) -> None:
    while True:
        try:
            try:
                result = await waited_for
            except BaseException as error:
                trail = error.__traceback__
                error.__traceback__ = trail and trail.tb_next  # not of this function
                waited_for = steps.throw(error)
            else:
                waited_for = steps.send(result)
        except StopIteration:
            return
