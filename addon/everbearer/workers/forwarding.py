"""
What happens in one worker, told to the first.

Over a socket pair that is made before workers are forked, so that whoever takes
the first one's place goes on reading. Nobody waits for it: what does not fit into
the kernel's buffer is lost, counted, and told. Its other end is a fork of the same
program, which nothing else can write to: that is why what comes may be unpickled.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import io
import pickle
import socket
from collections import deque
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from everbearer.events import Exchanged
from everbearer.policy.view import Authorization, ListenerView, RequestView
from everbearer.report import report
from everbearer.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from everbearer.events import Event, Subscriber

type Reduce = Callable[[Any], tuple[type, tuple[object, ...]]]

_EVERY: Final = 0.2
"""Seconds for which events are gathered."""

_TOGETHER: Final = 32
"""Events of one datagram; one of the largest fits into the smallest buffer."""

_MOST: Final = 4096
"""Events that wait for their turn."""

_BUFFER: Final = 4 * 1024 * 1024
"""Bytes asked of the kernel, which may give less."""

_DATAGRAM: Final = 1 << 20
"""Bytes of the largest; the kernel would cut off what its reader has no room for."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the first worker's end, and that of all others."""
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for each in (reading, writing):
        each.setblocking(False)  # noqa: FBT003 - the name says it
    writing.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return reading, writing


class Forwarding:
    """Sends events to the first worker; a subscriber, of one event loop."""

    def __init__(self, writing: socket.socket) -> None:
        self._writing = writing
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        """Have *event* sent soon."""
        if len(self._waiting) >= _MOST:
            self._lost += 1
            return
        self._waiting.append(event)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_EVERY, self.send)

    def send(self) -> None:
        """Send what has gathered."""
        self._timer = None
        while self._waiting:
            together = [
                self._waiting.popleft()
                for _ in range(min(_TOGETHER, len(self._waiting)))
            ]
            self._send(together)

    def _send(self, events: Sequence[Event]) -> None:
        failed = self._try(_pickled((self._lost, events)))
        if not failed:
            self._lost = 0
        elif failed == errno.EMSGSIZE and len(events) > 1:
            half = len(events) // 2
            self._send(events[:half])
            self._send(events[half:])
        else:
            self._lost += len(events)

    def _try(self, datagram: bytes) -> int:
        """Return why *datagram* could not be sent, 0 where it was."""
        if len(datagram) > _DATAGRAM:
            return errno.EMSGSIZE
        try:
            self._writing.send(datagram)
        except OSError as error:
            return error.errno or errno.EIO
        return 0


def _pickled(value: object) -> bytes:
    file = io.BytesIO()
    pickler = pickle.Pickler(file)
    pickler.dispatch_table = _BY_CALL
    pickler.dump(value)
    return file.getvalue()


def _by_call(kind: type) -> Reduce:
    members = attrgetter(*[each.name for each in dataclasses.fields(kind)])
    return lambda value: (kind, members(value))


_BY_CALL: Final[dict[type, Reduce]] = {
    kind: _by_call(kind)
    for kind in (Exchanged, RequestView, ListenerView, Authorization)
}
"""What each request brings; made anew by a call, at less than half of the cost."""


class Receiving:
    """Hands what others send to the subscribers of the first worker."""

    def __init__(
        self,
        reading: socket.socket,
        subscribers: Sequence[Subscriber],
        lost: Callable[[int], None],
    ) -> None:
        self._reading = reading
        self._told = Subscribers()
        for each in subscribers:
            self._told.subscribe(each)
        self._tell_lost = lost

    def begin(self) -> None:
        """Read from now on, in the running loop."""
        asyncio.get_running_loop().add_reader(self._reading, self.receive)

    def end(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._reading)

    def receive(self) -> None:
        """Take one datagram: others have their turn in between."""
        try:
            lost, events = pickle.loads(self._reading.recv(_DATAGRAM))  # noqa: S301 - see above
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the next may be read
            report("events of another worker cannot be read", error)
            return
        if lost:
            self._tell_lost(lost)
        for event in events:
            self._told.publish(event)


class AllWorkers:
    """The events of all workers, brought together in the first; made before a fork."""

    def __init__(self, count: int) -> None:
        self._pair = pair() if count > 1 else None

    def close(self) -> None:
        """Let go of both ends."""
        for each in self._pair or ():
            each.close()

    @contextmanager
    def told(
        self,
        subscribe: Callable[[Subscriber], None],
        number: int,
        subscribers: Sequence[Subscriber],
        lost: Callable[[int], None],
    ) -> Iterator[None]:
        """
        Have *subscribers*, those of worker 1, told of everything, in a running loop.

        *number* is this worker's, *subscribe* its own events'; *lost* is told how
        many of others' did not arrive.
        """
        if not subscribers:
            yield
        elif number != 1:
            assert self._pair is not None
            forwarding = Forwarding(self._pair[1])
            subscribe(forwarding)
            try:
                yield
            finally:
                forwarding.send()
        else:
            for each in subscribers:
                subscribe(each)
            if self._pair is None:
                yield
                return
            receiving = Receiving(self._pair[0], subscribers, lost)
            receiving.begin()
            try:
                yield
            finally:
                receiving.end()
