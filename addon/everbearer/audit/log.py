"""The subscriber that writes the file, and says where it cannot."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from everbearer.audit.line_file import LineFile
from everbearer.audit.lines import line_of
from everbearer.errors import ConfigError, Problem, reason_of
from everbearer.events import AuditLinesLost
from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from everbearer.broker import Broker
    from everbearer.events import Event, Publish


_MOST: Final = 128
"""Events that wait for the next turn; some 64 KiB of lines."""


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
    counts, and the file then says how many lines it lacks.
    """

    def __init__(
        self, file: LineFile, tell: Callable[[str], None], publish: Publish
    ) -> None:
        self._file = file
        self._tell = tell
        self._publish = publish
        self._waiting: list[Event] = []
        self._since = 0.0
        self._due = False
        self._lost = self._told = 0

    def begin(self) -> None:
        """Make the file if there is none; ConfigError where it cannot be written."""
        try:
            self._file.open()
        except OSError as error:
            why = reason_of(error)
            raise ConfigError(
                Problem(
                    "audit.file",
                    f"cannot be written: {why}",
                    "give this user the right to write there, or write another file",
                )
            ) from error

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
                self._tell(f"the audit log is written again, {self._lost} lines lost")
                self._count()
                self._lost = self._told = 0
            while lines:
                lines = lines[self._file.append(lines) :]
        except OSError as error:
            is_first = not self._lost
            self._lost += lines.count(b"\n")
            if is_first and self._lost:
                why = reason_of(error)
                self._tell(
                    f"the audit log cannot be written, its lines are lost: {why}"
                )
                self._count()

    def close(self) -> None:
        """Write what waits, and tell what could not be; later lines open it again."""
        self.write()
        if self._lost:
            self._tell(f"the audit log ends without its last lines: {self._lost}")
            self._count()
        self._file.close()

    def _count(self) -> None:
        """Publish how many lines more are lost than were told of."""
        if more := self._lost - self._told:
            self._told = self._lost
            self._publish(AuditLinesLost(self._since, more))


def _line_of(event: Event) -> bytes:
    try:
        return line_of(event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others have lines
        report("an event has no line in the audit log", error)
        return b""
