"""Several addons that mitmproxy sees as one: it asks each of its own for each event."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mitmproxy import hooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

type Hook = Callable[..., Awaitable[object] | None]


class EverbearerFront:
    """
    Has every hook that one of *parts* has, and calls theirs in their order.

    What one raises is raised, and those after it are not called, as with addons
    that are nested in another.
    """

    def __init__(self, *parts: object) -> None:
        self.parts = parts
        for name in hooks.all_hooks:
            theirs = [getattr(part, name) for part in parts if hasattr(part, name)]
            if theirs:
                vars(self)[name] = theirs[0] if len(theirs) == 1 else _joined(theirs)


def _joined(theirs: Sequence[Hook]) -> Hook:
    def hook(*args: Any) -> Awaitable[object] | None:
        # No coroutine unless one of them is: mitmproxy would wait for nothing.
        for at, each in enumerate(theirs, 1):
            result = each(*args)
            if result is not None and inspect.isawaitable(result):
                left = theirs[at:]
                return _rest(result, left, args) if left else result
        return None

    return hook


async def _rest(
    begun: Awaitable[object], left: Sequence[Hook], args: Sequence[Any]
) -> None:
    await begun
    for each in left:
        result = each(*args)
        if result is not None and inspect.isawaitable(result):
            await result
