"""Programs that tests need and a machine may lack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

NODE = Path(__file__).with_name("node")
"""Where package.json names the programs of Node.js that tests need."""


def need(program: str) -> str:
    """
    Return where *program* is; skip the test where it is not, or fail it.

    It is on PATH, or `npm ci` put it into the folder $EVERBEARER_TEST_NODE (without
    that variable, into tests/node), or into its folder for Bruno.
    """
    node = Path(os.environ.get("EVERBEARER_TEST_NODE") or NODE).absolute()
    found = shutil.which(program)
    for folder in (node, node / "bruno"):
        found = found or shutil.which(program, path=folder / "node_modules" / ".bin")
    if found is None:
        lack(program, f"{program} is not installed")
    return found


def need_module(name: str) -> Path:
    """Return the node_modules that has the package *name*; skip, or fail, as `need`."""
    node = Path(os.environ.get("EVERBEARER_TEST_NODE") or NODE).absolute()
    modules = node / "node_modules"
    if not (modules / name).exists():
        lack(name, f"{modules} has no {name}: npm ci --prefix tests/node")
    return modules


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
