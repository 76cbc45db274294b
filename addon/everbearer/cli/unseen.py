"""A process that others of the same user cannot look into."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def forbid_looking_in() -> None:
    """
    Keep memory and first environment of this process, and its children's, to root.

    On Linux: no debugger of the same user attaches, /proc shows him nothing, and
    a crash leaves no core. macOS asks for an entitlement for that anyway.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
