"""`everbearer exec` as a person starts it: a process, its streams, its terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness import START, Place

ME = "https://api.box.com/2.0/users/me"


def eventually(true: Callable[[], bool], what: str) -> None:
    """Poll until something is true; fail with what was waited for."""
    deadline = time.monotonic() + START
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class Exec:
    """Starts commands with a private proxy."""

    def __init__(self, place: Place, config: Path, *options: str) -> None:
        self.place = place
        self.options = ["-c", str(config), *options]
        (place.root / "home").mkdir(exist_ok=True)

    def line(self, *command: str) -> list[str]:
        start = [sys.executable, "-m", "everbearer", "exec", *self.options, "--"]
        return [*start, *command]

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.line(*command),
            env=self.place.env | env,
            cwd=self.place.root,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=as_at_a_terminal,
        )

    def start(self, *command: str, **more: object) -> subprocess.Popen[str]:
        """Start a command whose output is read as it comes; it ends with its place."""
        child = subprocess.Popen(
            self.line(*command),
            env=self.place.env,
            cwd=self.place.root,
            text=True,
            preexec_fn=as_at_a_terminal,  # noqa: PLW1509 - nothing is locked there
            **{
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **more,
            },
        )

        # Whoever waits for a line waits for no longer than this.
        patience = threading.Timer(2 * START, child.kill)
        patience.start()

        def end() -> None:
            patience.cancel()
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None:
                    stream.close()

        self.place.ending.append(end)
        return child

    def speaking(self, script: str) -> tuple[subprocess.Popen[str], str]:
        """Start a shell's script; return it with the first line that it prints."""
        child = self.start("sh", "-c", script)
        assert child.stdout is not None
        return child, child.stdout.readline().rstrip("\n")

    def runs(self) -> list[Path]:
        """Return what lies where runs keep their files, locks apart."""
        folder = self.place.root / "home" / ".cache" / "everbearer" / "exec"
        return [p for p in folder.glob("*") if p.name != "lock"]

    def proxies(self) -> list[int]:
        """Return the processes whose command line names our configuration."""
        wanted = self.options[1].encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if wanted in words and b"exec" in words and state != "Z":
                found.append(int(process.name))
        return sorted(found)

    def all_is_gone(self) -> bool:
        """Tell whether neither a process nor a file is left of any run."""
        return not self.proxies() and not self.runs()


def as_at_a_terminal() -> None:
    """Heed the signals that a shell has its background jobs ignore."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def kill(pid: int, how: int = signal.SIGKILL) -> None:
    """Send a signal to one process."""
    os.kill(pid, how)
