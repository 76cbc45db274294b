"""The subscriber that writes the file, and says where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.audit.line_file import LineFile
from everbearer.audit.lines import gap, line_of
from everbearer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.broker import Broker
    from everbearer.events import Event


def keep_log(broker: Broker, tell: Callable[[str], None], *, must: bool) -> None:
    """
    Have what happens to *broker* written down, where its configuration says so.

    Raises ConfigError where that cannot be done and *must* be; else it is told.
    """
    place = broker.settings.audit
    if place.file is None:
        return
    log = AuditLog(LineFile(place.file, place.max_size, place.keep), tell)
    if must:
        log.begin()
    broker.subscribe(log)


class AuditLog:
    """
    Writes each event as a line; a subscriber of events.

    A request is not kept waiting for a line that cannot be written: that is told
    when it begins and when it ends, by *tell*, and the file then says how many
    lines it lacks.
    """

    def __init__(self, file: LineFile, tell: Callable[[str], None]) -> None:
        self._file = file
        self._tell = tell
        self._lost = 0

    def begin(self) -> None:
        """Make the file if there is none; ConfigError where it cannot be written."""
        try:
            self._file.open()
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise ConfigError(
                Problem(
                    "audit.file",
                    f"cannot be written: {why}",
                    "give this user the right to write there, or write another file",
                )
            ) from error

    def __call__(self, event: Event) -> None:
        """Write the line of *event*."""
        try:
            if self._lost:
                self._file.append(gap(event.at, self._lost))
                self._tell(f"the audit log is written again, {self._lost} lines lost")
                self._lost = 0
            self._file.append(line_of(event))
        except OSError as error:
            if not self._lost:
                why = (error.strerror or type(error).__name__).lower()
                self._tell(
                    f"the audit log cannot be written, its lines are lost: {why}"
                )
            self._lost += 1
