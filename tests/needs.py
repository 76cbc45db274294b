"""Programs that tests need and a machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest


def need(program: str) -> str:
    """
    Return where *program* is; skip the test where it is not.

    The test fails instead if $EVERBEARER_REQUIRE, names with commas between
    them, names it: where it must be, nothing is skipped in silence.
    """
    found = shutil.which(program)
    if found is not None:
        return found
    if program in os.environ.get("EVERBEARER_REQUIRE", "").split(","):
        pytest.fail(f"{program} is required here and not installed")
    pytest.skip(f"{program} is not installed")
