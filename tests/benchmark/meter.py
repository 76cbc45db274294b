"""What a process and its children have used, from Linux's /proc."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
THERE = (PROC / "self/stat").exists()
"""Whether there is anything to read; elsewhere nothing is measured, and said so."""

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Bytes of resident memory, now and at most."""

    now: int
    peak: int


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process, its children and those it has buried."""
    seconds = 0
    for each in _family(pid):
        try:
            words = _stat(each)
        except OSError:
            continue  # ended meanwhile: its parent has it
        seconds += sum(map(int, words[11:15]))
    return seconds / _TICK


def memory(pid: int) -> Memory:
    """Return the memory of a process and its children together."""
    now = peak = 0
    for each in _family(pid):
        try:
            status = (PROC / str(each) / "status").read_text()
        except OSError:
            continue
        now += _kilobytes(status, "VmRSS")
        peak += _kilobytes(status, "VmHWM")
    return Memory(now, peak)


def begin_peak(pid: int) -> int:
    """Count the most memory of a process anew from now on; return what it has."""
    for each in _family(pid):
        # proc(5): 5 resets the peak resident set size.
        (PROC / str(each) / "clear_refs").write_text("5")
    return memory(pid).now


def _kilobytes(status: str, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _stat(pid: int | str) -> list[str]:
    # The name in parentheses may itself have blanks and parentheses.
    return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()


def _family(pid: int) -> list[int]:
    """Return the process and all below it."""
    if not THERE:
        return []
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(entry.name)[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        todo += parents.get(each, [])
    return found
