"""A command of everbearer on a terminal, typed at by a test."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

PATIENCE = 60.0
"""Seconds a command may take on a busy machine."""


class Terminal:
    """Runs a command on a pseudo-terminal; what it shows is what a person sees."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "everbearer", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=env | {"NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, words: str) -> str:
        """Return all that was shown, once these words are among it."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], 1)
            if ready and not self._read():
                break
            assert time.monotonic() < deadline, self.shown
        assert words in self.shown, self.shown
        return self.shown

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def ended(self) -> int:
        """Return the exit code, with everything shown until then."""
        while self._read():
            pass
        return self._child.wait(PATIENCE)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._ours, 65536)
        except OSError:  # how Linux tells that the other side is closed
            return False
        self.shown += chunk.decode()
        return bool(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._ours)
