"""How much more memory a process takes."""

from __future__ import annotations

from pathlib import Path

from harness import Process
from needs import need_proc

MIB = 1024 * 1024


class Growth:
    """The growth of a process's memory, at its highest, since now."""

    def __init__(self, process: Process) -> None:
        self._process = process
        # The peak of the past is of no interest; Linux lets one forget it.
        need_proc(Path(f"/proc/{process.child.pid}/clear_refs")).write_text("5")
        self._before = process.rss()

    def mib(self) -> float:
        """Return it in MiB."""
        return (self._process.peak() - self._before) / MIB
