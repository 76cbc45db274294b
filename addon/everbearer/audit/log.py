"""The subscriber that writes the file, and says where it cannot."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from everbearer.audit.line_file import LineFile
from everbearer.audit.lines import line_of
from everbearer.errors import ConfigError, Problem, reason_of
from everbearer.events import AuditLinesLost
from everbearer.report import report
from everbearer.settings.files import open_log
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from everbearer.broker import Broker
    from everbearer.events import Event, Publish
    from everbearer.settings.model import AuditSettings

_MOST: Final = 128
"""Events that wait for the next turn; some 64 KiB of lines."""


def check_log(place: AuditSettings) -> None:
    """Raise ConfigError where a log that is there is none to go on with."""
    if place.file is None:
        return
    try:
        with suppress(FileNotFoundError):
            os.close(open_log(place.file, os.geteuid(), make=False))
    except (OSError, Mistake) as error:
        raise ConfigError(_problem(error)) from None


@contextmanager
def keep_log(
    broker: Broker, tell: Callable[[str], None], *, must: bool
) -> Iterator[None]:
    """
    Have what happens to *broker* written down, where its configuration says so.

    Raises ConfigError where that cannot be done and *must* be; else it is told.
    """
    place = broker.settings.audit
    if place.file is None:
        yield
        return
    file = LineFile(place.file, place.max_size, place.keep)
    log = AuditLog(file, tell, broker.publish)
    if must:
        log.begin()
    broker.subscribe(log)
    try:
        yield
    finally:
        log.close()


class AuditLog:
    """
    Writes each event as a line; a subscriber of events.

    What happens in one turn of the event loop is one write at the begin of the
    next, before anything new is read; without a loop each line is. Waiting longer
    would save little more, and let who kills the process hide what he has asked.

    A request is not kept waiting for a line that cannot be written: that is told
    when it begins and when it ends, by *tell* in words and by *publish* to whoever
    counts, and the file then says how many lines it lacks. That a file grows beyond
    its size, since it cannot make way, is told so too, in words.
    """

    def __init__(
        self, file: LineFile, tell: Callable[[str], None], publish: Publish
    ) -> None:
        self._file = file
        self._tell = tell
        self._publish = publish
        self._waiting: list[Event] = []
        self._since = 0.0
        self._due = self._stuck = False
        self._lost = self._told = 0

    def begin(self) -> None:
        """Make the file if there is none; ConfigError where it is not to be used."""
        try:
            self._file.open()
        except (OSError, Mistake) as error:
            raise ConfigError(_problem(error)) from error
        self._tell_of_size()

    def __call__(self, event: Event) -> None:
        """Have the line of *event* written, in the loop's next turn at the latest."""
        if isinstance(event, AuditLinesLost):
            return  # our own; the file says it where lines are missing
        self._waiting.append(event)
        if len(self._waiting) >= _MOST:
            self.write()
        elif not self._due:
            try:
                asyncio.get_running_loop().call_soon(self.write)
                self._due = True
            except RuntimeError:  # there is no loop
                self.write()

    def write(self) -> None:
        """Write the lines of what waits; made together they take less time."""
        events, self._waiting, self._due = self._waiting, [], False
        if events:
            self._since = events[0].at
        lines = b"".join(map(_line_of, events))
        try:
            if self._lost:
                self._file.append(line_of(AuditLinesLost(self._since, self._lost)))
                self._count()
                lost, self._lost, self._told = self._lost, 0, 0
                self._tell(f"the audit log is written again, {lost} lines lost")
            while lines:
                lines = lines[self._file.append(lines) :]
        except (OSError, Mistake) as error:
            is_first = not self._lost
            self._lost += lines.count(b"\n")
            if is_first and self._lost:
                self._count()
                self._tell(
                    "the audit log cannot be written, its lines are lost:"
                    f" {_why(error)}"
                )
        self._tell_of_size()

    def close(self) -> None:
        """Write what waits, and tell what could not be; later lines open it again."""
        self.write()
        if self._lost:
            self._tell(f"the audit log ends without its last lines: {self._lost}")
            self._count()
        self._file.close()

    def _tell_of_size(self) -> None:
        """Tell when the file begins to grow beyond its size, and when that ends."""
        stuck, path = self._file.stuck, self._file.path
        if stuck and not self._stuck:
            self._tell(
                f"the audit log cannot leave {path} at max_size and goes on in it,"
                f" no line is lost: {reason_of(stuck)}; let this user write to the"
                f" folder, where {path.name}.1 and so on have to be files"
            )
        elif self._stuck and not stuck:
            self._tell(f"the audit log leaves {path} at max_size again")
        self._stuck = stuck is not None

    def _count(self) -> None:
        """Publish how many lines more are lost than were told of."""
        if more := self._lost - self._told:
            self._told = self._lost
            self._publish(AuditLinesLost(self._since, more))


def _problem(error: OSError | Mistake) -> Problem:
    if isinstance(error, Mistake):
        return Problem("audit.file", error.message, error.fix)
    return Problem(
        "audit.file",
        f"cannot be written: {reason_of(error)}",
        "give this user the right to write there, or write another file",
    )


def _why(error: OSError | Mistake) -> str:
    if isinstance(error, Mistake):
        return f"{error.message}; {error.fix}"
    return reason_of(error)


def _line_of(event: Event) -> bytes:
    try:
        return line_of(event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others have lines
        report("an event has no line in the audit log", error)
        return b""
