"""A hook, called as mitmproxy calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


async def hooked(hook: Callable[..., Any], *args: object) -> None:
    """Call *hook*, and wait for it where it has something to wait for."""
    result = hook(*args)
    if inspect.isawaitable(result):
        await result
