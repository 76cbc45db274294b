"""To know that a process has ended, whoever's child it is."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Watched:
    """
    A process that runs now, by its id; readable, as files are, once it has ended.

    Linux has a descriptor for that (5.3), macOS and the BSDs a kqueue. Raises
    OSError where there is no such process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        opened: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
        if opened is not None:
            self._descriptor = opened(pid)
            return
        self._queue = select.kqueue()  # type: ignore[attr-defined]
        self._descriptor = self._queue.fileno()
        self._queue.control([_exit_of(pid)], 0)

    @classmethod
    def parent(cls, pid: int) -> Watched:
        """
        Watch the parent, whose id was *pid* before this process was forked.

        Raises ProcessLookupError where it has ended: its id may be another's.
        """
        found = cls(pid)
        if os.getppid() != pid:
            raise ProcessLookupError(pid)
        return found

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self._descriptor

    def has_ended(self) -> bool:
        """Tell whether it has, without waiting."""
        return bool(select.select([self], [], [], 0)[0])


def _exit_of(pid: int) -> object:
    return select.kevent(  # type: ignore[attr-defined]
        pid,
        select.KQ_FILTER_PROC,  # type: ignore[attr-defined]
        select.KQ_EV_ADD,  # type: ignore[attr-defined]
        select.KQ_NOTE_EXIT,  # type: ignore[attr-defined]
    )
