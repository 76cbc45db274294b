"""
A proxy beside a command, in processes that are not the command's children.

The process that a person started becomes the command itself (execve), so that
its exit code, signals, terminal and process group are the command's own. Before
that it forks:

    command          what the person started
    keeper           in a session of its own; owns the run's folder
    └── proxy        in another one; serves until the command ends

The keeper waits for both. It removes the folder when the proxy has ended, in
whatever way, and says so where the command is still there. If the keeper itself
is killed the proxy removes it; if both are, the next run does.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from everbearer.cli import voice
from everbearer.cli.failing import failed
from everbearer.cli.unseen import forbid_looking_in
from everbearer.cli.watching import Watched
from everbearer.clients.run_folder import run_folder
from everbearer.errors import EverbearerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_FIRST: Final = 3  # behind the standard streams
_MOST: Final = 65536


class Failed(Exception):  # noqa: N818 - it has told why by itself
    """The proxy could not be started, and said so; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Answer:
    """What the command waits for; given once, by one of the processes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor

    def give(self, **told: object) -> None:
        """Tell it, unless something was told already."""
        if self.descriptor is None:
            return
        descriptor, self.descriptor = self.descriptor, None
        with suppress(OSError), os.fdopen(descriptor, "wb") as out:
            out.write(json.dumps(told).encode())

    def forget(self) -> None:
        """Leave it to another process."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What the proxy process knows of its place."""

    folder: Path
    command: Watched
    _answer: _Answer

    def ready(self, variables: Mapping[str, str | None]) -> None:
        """
        Let the command begin, with these variables; None takes one out.

        From now on the terminal and the streams are the command's, but for
        standard error.
        """
        os.setsid()
        self._answer.give(variables=dict(variables))

    @staticmethod
    def fall_silent() -> None:
        """Let go of standard error too: a pipe's reader waits for its end."""
        _to_nowhere(2)


def start(serve: Callable[[Beside], int]) -> dict[str, str | None]:
    """
    Run *serve* beside this process, and return the variables that it is ready with.

    Raises Failed with the code that *serve* returned instead.
    """
    reading, writing = os.pipe()
    origin = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        answer = _Answer(writing)
        _leave(answer, lambda: _become_keeper(answer, serve, origin))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    given: dict[str, Any] = json.loads(told) if told else {"failed": 1}
    if "failed" in given:
        raise Failed(given["failed"])
    variables: dict[str, str | None] = given["variables"]
    return variables


def _become_keeper(answer: _Answer, serve: Callable[[Beside], int], origin: int) -> int:
    """Fork once more: the command shall not meet a child that it never had."""
    command = Watched.parent(origin)
    if os.fork() == 0:
        _leave(answer, lambda: _keep(command, answer, serve))
    answer.forget()
    return 0


def _keep(command: Watched, answer: _Answer, serve: Callable[[Beside], int]) -> int:
    assert answer.descriptor is not None
    forbid_looking_in()
    _close_all_but(answer.descriptor, command.fileno())
    _to_nowhere(0)
    _to_nowhere(1)
    with run_folder() as folder:
        alive, held = os.pipe()
        proxy = os.fork()
        if proxy == 0:
            os.close(alive)
            beside = Beside(folder, command, answer)
            _leave(answer, lambda: _serve(beside, serve))
        # The proxy follows once it is ready: a secret's program may want to ask
        # a person, at the terminal.
        os.setsid()
        os.close(held)
        answer.forget()
        _wait_for_either(command, alive)
        if command.has_ended():
            Beside.fall_silent()
        _, status = os.waitpid(proxy, 0)
        if os.waitstatus_to_exitcode(status) < 0 and not command.has_ended():
            voice.error(
                "the proxy beside this command was ended: its requests fail now",
                "start the command anew",
            )
    return 0


def _wait_for_either(command: Watched, alive: int) -> None:
    # The proxy's end of the pipe closes with it. What it exits with is not
    # waited for here: a signal could come first.
    select.select([command.fileno(), alive], [], [])


def _serve(beside: Beside, serve: Callable[[Beside], int]) -> int:
    keeper = os.getppid()
    try:
        return serve(beside)
    finally:
        if os.getppid() != keeper:
            shutil.rmtree(beside.folder, ignore_errors=True)


def _leave(answer: _Answer, work: Callable[[], int]) -> None:
    """End this process with what *work* returns; nothing of its origin runs on."""
    code = 1
    try:
        code = work()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except EverbearerError as error:
        code = failed(error)
    finally:
        if code:
            answer.give(failed=code)
        voice.fall_silent()
        os._exit(code)


def _close_all_but(*kept: int) -> None:
    """Close what was inherited: a pipe of the command's must end with the command."""
    edges = [_FIRST - 1, *sorted(kept), _MOST]
    for below, above in pairwise(edges):
        os.closerange(below + 1, above)


def _to_nowhere(stream: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, stream)
    os.close(nowhere)
