"""`[audit]`: where what happened is written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.settings.model import AuditSettings

if TYPE_CHECKING:
    from everbearer.settings.document import AuditTable
    from everbearer.settings.problems import Problems

_MOST: Final = 1000
"""Older files; their names are tried one by one."""

_LEAST: Final = 4096
"""Bytes; a line must fit."""


def build_audit(
    table: AuditTable, state_folder: Path, problems: Problems
) -> AuditSettings:
    """
    Return where lines go; notes what is wrong with it.

    `state_folder` is where a relative `file` starts: the configuration may be
    shared, or under version control.
    """
    given = table.model_dump(exclude_none=True)
    if table.keep is not None and not 1 <= table.keep <= _MOST:
        problems.add(
            ("audit", "keep"),
            f"expected how many older files stay, from 1 to {_MOST}",
            "write: keep = 5",
        )
    if table.max_size is not None and table.max_size < _LEAST:
        problems.add(
            ("audit", "max_size"),
            "is less than 4 KiB: a line has to fit",
            'write: max_size = "64MiB"',
        )
    if table.file is None:
        if given:
            problems.add(("audit", "file"), "is missing", 'write: file = "audit.jsonl"')
        return AuditSettings()
    if not table.file:
        problems.add(("audit", "file"), "is empty", 'write: file = "audit.jsonl"')
        return AuditSettings()
    if "\0" in table.file:
        problems.add(("audit", "file"), "holds a NUL, which no name of a file can")
        return AuditSettings()
    return AuditSettings(
        **{**given, "file": state_folder / Path(table.file).expanduser()}
    )
