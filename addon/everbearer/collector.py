"""The garbage collector, while what stays is being made."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def resting() -> Iterator[None]:
    """
    Import meanwhile: nothing is collected, and what was made is never looked at.

    Modules are no garbage, and the collector would look at all of them again and
    again.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
