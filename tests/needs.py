"""Programs that tests need and a machine may lack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def need(program: str) -> str:
    """Return where *program* is; skip the test where it is not, or fail it."""
    found = shutil.which(program)
    if found is None:
        lack(program, f"{program} is not installed")
    return found


def need_proc(path: Path) -> Path:
    """Return *path*, a file of Linux's /proc; skip, or fail for "proc", elsewhere."""
    if not path.exists():
        lack("proc", f"{path} is not here: this is no Linux")
    return path


def lack(name: str, reason: str) -> NoReturn:
    """
    Skip the test for that reason.

    The test fails instead if $EVERBEARER_REQUIRE, names with commas between
    them, has *name*: where it must be, nothing is skipped in silence.
    """
    if name in os.environ.get("EVERBEARER_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required here: {reason}")
    pytest.skip(reason)
