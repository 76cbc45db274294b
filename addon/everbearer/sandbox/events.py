"""The event stream: what happened to files and folders, and who waits for more."""

import asyncio
from dataclasses import dataclass, field

from everbearer.sandbox.accounts import opaque


@dataclass(slots=True)
class Events:
    """All events since the start; a stream position is a count of events."""

    entries: list[dict[str, object]] = field(default_factory=list)
    _channels: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event: dict[str, object]) -> None:
        """Append an event and wake who waits."""
        self.entries.append(event)
        self._changed.set()
        self._changed = asyncio.Event()

    def open_channel(self) -> str:
        """Return a new channel for a long poll; knowing it is what it takes."""
        channel = opaque(40)
        self._channels.add(channel)
        return channel

    def knows(self, channel: str) -> bool:
        """Tell whether `open_channel` gave this channel out."""
        return channel in self._channels

    async def changed(self, timeout_s: float) -> bool:
        """Wait for the next event; tell whether one came in time."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True
