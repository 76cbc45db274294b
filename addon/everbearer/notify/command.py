"""
Runs the user's program: no shell, no stdin, not for ever.

Nobody waits for it: each run has a thread, which ends it after its time and reaps
it. Of one profile one runs at a time, the next follows.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from everbearer.notify.needs import Need

PATIENCE: Final = 30.0
"""Seconds, then it is killed, with what it has started."""


@dataclass(frozen=True, slots=True)
class Run:
    """A program with its arguments, where, and all that it sees around it."""

    command: tuple[str, ...]
    folder: Path
    environ: Mapping[str, str]


def environment(
    environ: Mapping[str, str], secrets: Iterable[str], need: Need, source: Path
) -> dict[str, str]:
    """Return *environ* without the variables *secrets*, and with what happened."""
    hidden = set(secrets)
    told = {
        "EVERBEARER_PROFILE": need.profile,
        "EVERBEARER_STATE": need.state,
        "EVERBEARER_MESSAGE": need.message,
        "EVERBEARER_HINT": need.hint,
        "EVERBEARER_SOURCE": str(source),
    }
    left = {name: value for name, value in environ.items() if name not in hidden}
    # No environment takes these.
    return left | {name: text.replace("\0", "") for name, text in told.items()}


class Runner:
    """
    Runs what it is given, for one event loop.

    A failure is told by *tell*, and not again before a run has succeeded.
    """

    def __init__(
        self, tell: Callable[[str], None], *, patience: float = PATIENCE
    ) -> None:
        self._tell = tell
        self._patience = patience
        self._waiting: dict[str, deque[Run]] = {}
        self._failed = False

    def start(self, profile: str, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        """Run it as soon as no other one of *profile* runs; does not block."""
        waiting = self._waiting.get(profile)
        if waiting is None:
            self._waiting[profile] = deque()
            self._begin(profile, run, loop)
        else:
            waiting.append(run)

    def _begin(self, profile: str, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        def work() -> None:
            why = _outcome(run, self._patience)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._ended, profile, why, loop)

        # No one waits for it at the end: what it tells is told all the same.
        try:
            Thread(target=work, name="notify", daemon=True).start()
        except RuntimeError:  # no thread can be had; the next one may
            why = "cannot be started (there are too many threads)"
            loop.call_soon(self._ended, profile, why, loop)

    def _ended(self, profile: str, why: str, loop: asyncio.AbstractEventLoop) -> None:
        if why and not self._failed:
            self._tell(f"notify.command: {why}; its failures are told once")
        self._failed = bool(why)
        waiting = self._waiting[profile]
        if waiting:
            self._begin(profile, waiting.popleft(), loop)
        else:
            del self._waiting[profile]


def _outcome(run: Run, patience: float) -> str:
    """Run it; return why it was in vain, "" where it was not."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own, and no shell
            run.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=run.folder,
            env=dict(run.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return f"cannot be started ({(reason or 'not a program').lower()})"
    try:
        status = process.wait(patience)
    except subprocess.TimeoutExpired:
        # The group: a child of it would outlive it.
        # Another user's by now (sudo) ends when it wants to.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"did not end within {patience:g} seconds and was killed"
    return f"ended with status {status}" if status else ""
