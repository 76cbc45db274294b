"""
What changes, told to every page that is open.

Changes are gathered and told at most four times a second; who reads more slowly
than that is dropped, and comes back by itself to the whole state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from everbearer.dashboard.answers import written
from everbearer.dashboard.rows import row
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from everbearer.dashboard.state import State

EVERY: Final = 0.25
"""Seconds between two looks at what has changed."""

_STATUS_EVERY: Final = 3.0
"""Seconds between two looks at the profiles where nothing seems to have happened."""

_TIMELINE_EVERY: Final = 1.0
"""Seconds between two tellings of the timeline, which is told as a whole."""

_BEHIND: Final = 8 * 1024 * 1024
"""Characters that wait for a reader; the whole state is less."""

READERS: Final = 32
"""Pages at once."""

PING: Final = ": ping\n\n"


class Reader:
    """One page; what waits for it is bounded."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._ended = False

    def put(self, text: str) -> None:
        """Have *text* wait for it; one that is too far behind is dropped."""
        self._waiting.append(text)
        self._size += len(text)
        if self._size > _BEHIND:
            self.end()
        self._news.set()

    def end(self) -> None:
        """Tell it nothing any more."""
        self._ended = True
        self._waiting.clear()
        self._news.set()

    async def next(self, patience: float) -> str | None:
        """Return what waits, a ping after *patience* seconds; None: it has ended."""
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return None if self._ended else PING
        if self._ended:
            return None
        text = "".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._news.clear()
        return text


class Feed:
    """Tells readers what changes; looks at nothing as long as there are none."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._readers: set[Reader] = set()
        self._joining = 0
        self._tasks = Tasks()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self._told: dict[str, str] = {}
        self._count = 0
        # Of what was told last: how much had changed by then, and when that was.
        self._changes = self._version = -1
        self._looked = self._drawn = float("-inf")

    async def join(self) -> Reader | None:
        """Return a new reader, for whom the whole state waits; None: too many are."""
        if self._closed or len(self._readers) + self._joining >= READERS:
            return None
        reader = Reader()
        self._joining += 1
        try:
            await self._state.refresh()
        finally:
            self._joining -= 1
        # From here on nothing happens in between: what the document has is not told
        # again, and what comes after it is.
        self._tell(self._requests())
        reader.put(_message("state", written(self._state.document())))
        self._readers.add(reader)
        if self._closed:
            reader.end()
        elif self._looking is None:
            self._told.clear()
            self._looking = self._tasks.spawn(self._look(), name="feed of the page")
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader."""
        reader.end()
        self._readers.discard(reader)

    def close(self) -> None:
        """End every reader, and take no other."""
        self._closed = True
        for reader in self._readers:
            reader.end()
        if self._looking is not None:
            self._looking.cancel()

    async def tick(self, now: float) -> None:
        """Tell what has changed; *now* is in seconds, by any clock that goes on."""
        known = self._state.known
        new = self._requests()
        self._tell(new)
        messages: list[str] = []
        changes = known.changes
        if changes != self._changes or now - self._looked >= _STATUS_EVERY:
            await self._state.refresh()
            self._changes, self._looked = changes, now
        if new or self._looked == now:
            messages += self._changed("profiles", self._state.profiles())
            messages += self._changed("troubles", self._state.troubles())
        version = known.timeline.version
        if version != self._version and now - self._drawn >= _TIMELINE_EVERY:
            self._version, self._drawn = version, now
            messages += self._changed("lives", self._state.timeline())
        self._tell(messages)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._readers:
                await self.tick(loop.time())
                await asyncio.sleep(EVERY)
        finally:
            self._looking = None
            for reader in self._readers:  # they come again
                reader.end()

    def _requests(self) -> list[str]:
        """Return the message of the requests that were not told yet."""
        new = self._state.known.since(self._count)
        self._count = self._state.known.count
        return [_message("requests", written([row(e) for e in new]))] if new else []

    def _tell(self, messages: list[str]) -> None:
        text = "".join(messages)
        for reader in self._readers if text else ():
            reader.put(text)

    def _changed(self, name: str, value: Any) -> list[str]:
        text = written(value)
        if self._told.get(name) == text:
            return []
        self._told[name] = text
        return [_message(name, text)]


def _message(name: str, data: str) -> str:
    # JSON has no line breaks but escaped ones.
    return f"event: {name}\ndata: {data}\n\n"
