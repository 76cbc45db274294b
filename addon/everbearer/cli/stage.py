"""
A private place for real processes: children of everbearer, and curl.

Everything lies in one temporary folder, home included, and ends with it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

from everbearer.errors import EverbearerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE: Final = 60.0
"""Seconds a child may take to say or do what is waited for, on a busy machine."""

# -P: a module that lies in the current folder is none of ours.
_EVERBEARER: Final = (sys.executable, "-P", "-m", "everbearer")

_OUTSIDE: Final = re.compile(r"(?i).*_proxy|EVERBEARER_.*|XDG_.*|CURL_HOME")
"""Variables that would lead a child out of the stage, or curl past the proxy."""


class Child:
    """An everbearer command in a process of its own, whose lines are kept."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [*_EVERBEARER, *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, since: int = 0) -> list[str]:
        """Return what it said, from line number *since* on."""
        with self._news:
            return self._lines[since:]

    def wait_for(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Return the first match in a line; raises EverbearerError if none comes."""
        found: list[re.Match[str]] = []

        def there() -> bool:
            for line in self._lines[since:]:
                if match := re.search(pattern, line):
                    found.append(match)
                    return True
            return self._ended

        with self._news:
            self._news.wait_for(there, PATIENCE)
        if not found:
            last = "; ".join(self.said()[-3:]) or "nothing"
            raise EverbearerError(f"a child did not say {pattern!r}, but: {last}")
        return found[0]

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End it in order and return its exit code; not in order: -9."""
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.returncode

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@dataclass(slots=True)
class Stage:
    """The folder, and who acts in it; a context manager that ends all of them."""

    _temporary: TemporaryDirectory[str] = field(
        default_factory=lambda: TemporaryDirectory(prefix="everbearer-demo-")
    )
    _children: deque[Child] = field(default_factory=deque)

    @property
    def folder(self) -> Path:
        """Where every path of the stage starts."""
        return Path(self._temporary.name)

    @property
    def env(self) -> dict[str, str]:
        """The environment of everybody on the stage."""
        kept = {k: v for k, v in os.environ.items() if not _OUTSIDE.fullmatch(k)}
        return kept | {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def everbearer(self, *arguments: str) -> Child:
        """Start a command that runs until it is stopped."""
        child = Child(arguments, self.folder, self.env)
        self._children.appendleft(child)
        return child

    def stop(self, child: Child, how: int = signal.SIGTERM) -> int:
        """End a child and return its exit code."""
        self._children.remove(child)
        return child.stop(how)

    def curl(self, *arguments: str) -> str:
        """Run curl and return what it printed."""
        # Looked up on PATH, as a person's shell does.
        done = subprocess.run(  # noqa: S603 - arguments of ours
            ["curl", *arguments],  # noqa: S607 - see above
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an everbearer command to its end."""
        return subprocess.run(  # noqa: S603 - ourselves
            [*_EVERBEARER, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def output(self, *arguments: str) -> str:
        """
        Run an everbearer command to its end and return its result.

        Raises EverbearerError if it fails.
        """
        done = self.run(*arguments)
        if done.returncode:
            raise EverbearerError(f"{shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def __enter__(self) -> Self:
        (self.folder / "home").mkdir()
        (self.folder / "tmp").mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in self._children:  # the last that came is the first to go
                child.stop()
        finally:
            self._temporary.cleanup()


def require_curl() -> None:
    """Raise EverbearerError unless there is a curl."""
    if shutil.which("curl") is None:
        raise EverbearerError(
            "curl is not installed", hint="install it, for example: apt install curl"
        )
