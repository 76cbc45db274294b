"""`[notify]`: which program tells a person that a profile needs one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from everbearer.settings.model import NotifySettings
from everbearer.settings.problems import Mistake, quote

if TYPE_CHECKING:
    from everbearer.settings.document import NotifyTable
    from everbearer.settings.problems import Problems
    from everbearer.settings.secrets import Surroundings


def build_notify(
    table: NotifyTable, around: Surroundings, problems: Problems
) -> NotifySettings:
    """
    Return what is run; notes what is wrong with it.

    The program is found now and named by its full path: another PATH later, or
    another current folder, runs no other.
    """
    if table.command is None:
        return NotifySettings()
    try:
        program = _found(table, around)
    except Mistake as mistake:
        problems.note(("notify", "command"), mistake)
        return NotifySettings()
    return NotifySettings((program, *table.command[1:]))


def _found(table: NotifyTable, around: Surroundings) -> str:
    example = f"write, for example: {table.example('command')}"
    words = table.command or []
    if not words or not words[0]:
        raise Mistake("names no program", example)
    if any("\0" in word for word in words):
        raise Mistake("holds what no argument can", example)
    name = words[0]
    # A whole command line in one string may hold a secret; its first word does not.
    shown = quote((name.split() or [""])[0])
    if "/" not in name:
        found = shutil.which(name, path=around.environ.get("PATH", os.defpath))
        if found is None:
            raise Mistake(
                f"there is no program {shown} on PATH",
                "write its full path, and each argument as a string of its own",
            )
        return os.path.abspath(found)  # noqa: PTH100 - PATH may hold relative ones
    path = around.path(name)
    if not path.is_file():
        raise Mistake(
            f"there is no program {shown}",
            "write its full path, and each argument as a string of its own",
        )
    if not os.access(path, os.X_OK):
        raise Mistake(f"the program {shown} may not be run", f"run: chmod +x {path}")
    return str(path)
