"""
The parent: it holds what listens, starts workers, and others in their place.

It has one thread and no event loop, and reads nothing anew, so that a fork takes
nothing along that is half done, and no signal waits.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from everbearer.dying import die_of
from everbearer.errors import EverbearerError, reason_of
from everbearer.workers.channel import Order, Post, heard, order
from everbearer.workers.pace import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_FAILED: Final = 1

_LEAVING, _STOPPING, _ENDED = 1, 2, 3
"""How urgently it is to end: each further signal is taken for more."""

_ONE_WISH: Final = 0.5
"""Seconds; programs that start others pass Ctrl-C on, or make it a SIGTERM."""


@dataclass(slots=True)
class _Worker:
    """A worker that runs; `ready` is when it was, None as long as it is not."""

    number: int
    pid: int
    channel: socket.socket
    failures: int
    ready: float | None = None


class Parent:
    """
    Keeps *count* workers running until it is told to end.

    They accept from *listening*. *tell* is called with what people may like to
    know, *warn* with what they should.
    """

    def __init__(
        self,
        count: int,
        listening: Iterable[socket.socket],
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._count = count
        self._listening = tuple(listening)
        self._tell = tell
        self._warn = warn
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, tuple[float, int]] = {}
        self._serves = False
        self._urgency = 0
        self._last_wish = -_ONE_WISH
        self._failed = False
        self._selector = selectors.DefaultSelector()
        self._wake = socket.socketpair()

    def run(self) -> Post:
        """
        Return in each worker; in the parent end the process.

        The first one has to serve before the others are started: why it cannot is
        told once, and ends the parent with its exit code. Raises EverbearerError
        where it cannot be started at all.
        """
        self._watch_signals()
        post = self._start(1, 0)
        while post is None:
            self._turn()
            post = self._start_who_is_due()
        return post

    # -- signals ------------------------------------------------------------

    def _watch_signals(self) -> None:
        for each in self._wake:
            each.settimeout(0)
        reading, writing = self._wake
        for number in _SIGNALS:
            signal.signal(number, _wake_up)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ)

    def _obey(self, numbers: bytes) -> None:
        for number in numbers:
            how = signal.Signals(number)
            if how is signal.SIGHUP:
                self._order(Order.RELOAD)
            elif how is not signal.SIGCHLD:
                self._wish(how)

    def _wish(self, how: signal.Signals) -> None:
        """End, more urgently with every signal."""
        now = time.monotonic()
        least = _STOPPING if how is signal.SIGINT else _LEAVING
        repeated = now - self._last_wish < _ONE_WISH
        urgency = max(self._urgency + (not repeated), least)
        if urgency == self._urgency:
            return
        self._last_wish, self._urgency = now, urgency
        if self._urgency >= _ENDED:
            self._end(how)
        # Nobody is let in any more, as soon as no worker does it.
        for each in self._listening:
            each.close()
        self._order(Order.STOP if self._urgency == _STOPPING else Order.LEAVE)
        for worker in self._workers.values():
            if worker.ready is None:  # it may not listen yet
                os.kill(worker.pid, signal.SIGTERM)

    def _end(self, how: signal.Signals) -> NoReturn:
        """Die of the signal, and the workers with us."""
        self._warn(f"ended at once by {how.name}")
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        die_of(how)

    def _order(self, what: Order) -> None:
        for worker in self._workers.values():
            order(worker.channel, what)

    # -- workers ------------------------------------------------------------

    def _start(self, number: int, failures: int) -> Post | None:
        """Start one; return its post in the worker, None in the parent."""
        try:
            pid, ours, its = _forked()
        except OSError as error:  # too many processes or files, too little memory
            self._not_started(number, failures, reason_of(error))
            return None
        if pid == 0:
            self._let_go()
            ours.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return Post(number, not self._serves, its)
        its.close()
        worker = self._workers[number] = _Worker(number, pid, ours, failures)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return None

    def _not_started(self, number: int, failures: int, why: str) -> None:
        told = f"worker {number} cannot be started: {why}"
        if not self._serves:
            raise EverbearerError(told, hint="see what ulimit -a allows")
        self._warn(f"{told}, it is tried again")
        self._postpone(number, 0.0, failures)

    def _let_go(self) -> None:
        """Leave in a worker what is the parent's: a channel kept would never end."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # A terminal sends them to everybody, and the parent says what follows. They
        # are not ignored, which programs that we start would inherit.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _wake_up)
        self._selector.close()
        for each in (*self._wake, *(each.channel for each in self._workers.values())):
            each.close()

    def _start_who_is_due(self) -> Post | None:
        now = time.monotonic()
        for number, (due, failures) in list(self._due.items()):
            if due <= now and not self._urgency:
                del self._due[number]
                if (post := self._start(number, failures)) is not None:
                    return post
        return None

    def _turn(self) -> None:
        """Wait until something happens, and act on it."""
        for key, _ in self._selector.select(self._until_due()):
            if key.data is None:
                self._obey(self._wake[0].recv(64))
            else:
                self._hear(key.data)
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(worker, os.waitstatus_to_exitcode(status))
        if self._urgency and not self._workers:
            raise SystemExit(_FAILED if self._failed else 0)

    def _until_due(self) -> float | None:
        if not self._due or self._urgency:
            return None
        return max(0.0, min(due for due, _ in self._due.values()) - time.monotonic())

    def _hear(self, worker: _Worker) -> None:
        received = heard(worker.channel)
        if received is None:  # it ends: its exit code says how
            self._selector.unregister(worker.channel)
        elif received:
            worker.ready = time.monotonic()
            self._is_ready()

    def _is_ready(self) -> None:
        if not self._serves:
            self._serves = True
            now = time.monotonic()
            self._due = dict.fromkeys(range(2, self._count + 1), (now, 0))
        elif not self._due and all(each.ready for each in self._workers.values()):
            self._tell(f"{self._count} workers serve")

    def _ended(self, worker: _Worker, code: int) -> None:
        """*code* is the exit code, or the number of the signal, negative."""
        with suppress(KeyError):  # it was heard that it ends
            self._selector.unregister(worker.channel)
        worker.channel.close()
        del self._workers[worker.number]
        if self._urgency:
            # It heard what everybody was sent before it listened, or when all was
            # done and Python had given its handlers up: in between it obeys.
            self._failed = self._failed or -code not in {0, *_SIGNALS}
            return
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        told = f"worker {worker.number} ended ({how})"
        if not self._serves:
            if code <= 0:  # it has told nothing
                self._warn(f"{told} before it served")
            raise SystemExit(code if code > 0 else _FAILED)
        served = 0.0 if worker.ready is None else time.monotonic() - worker.ready
        self._postpone(worker.number, served, worker.failures)
        (self._warn if code else self._tell)(f"{told}, another one takes its place")

    def _postpone(self, number: int, served: float, failures: int) -> None:
        delay, failures = pause(served, failures)
        self._due[number] = time.monotonic() + delay, failures


def _forked() -> tuple[int, socket.socket, socket.socket]:
    """
    Return what `fork` does, and both ends of a channel.

    In the child signals are held back still: one that comes before its own
    handlers would wake its parent. Raises OSError.
    """
    ours, its = socket.socketpair()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        ours.close()
        its.close()
        raise
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    return pid, ours, its


def _wake_up(*_: object) -> None:
    """Do nothing: that it came is read where signals wake us up."""
