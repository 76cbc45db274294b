"""Who is served next, where few can be served at once and anybody may ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

type Party = tuple[str, str]
"""Whose turn it is: an address, and a name that was said there."""


class Crowded(Exception):  # noqa: N818 - what it is, no error of ours
    """So many wait already that one more would only wait in vain."""


class Turns:
    """
    Lets *at_once* in at the same time, and parties by turns.

    Who asks without end waits in a line of its own: others wait for one turn of
    it, not for its whole line. At most *of_party* wait in a line, *of_address*
    in all lines of an address, *in_all* together. Where these are full, room is
    made for an address by the last of the one that has most waiting.
    """

    def __init__(
        self, at_once: int, *, of_party: int, of_address: int, in_all: int
    ) -> None:
        self._free = at_once
        self._limits = of_party, of_address, in_all
        self._lines: OrderedDict[Party, deque[asyncio.Future[bool]]] = OrderedDict()
        self._at_address = Counter[str]()

    @contextlib.asynccontextmanager
    async def turn(self, party: Party) -> AsyncIterator[None]:
        """Wait for the turn of *party*; raises Crowded at once instead of for long."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(party)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, party: Party) -> None:
        line = self._lines.get(party, deque[asyncio.Future[bool]]())
        of_party, of_address, in_all = self._limits
        if (
            len(line) >= of_party
            or self._at_address[party[0]] >= of_address
            or (self._at_address.total() >= in_all and not self._has_room(party[0]))
        ):
            raise Crowded
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        self._lines[party] = line
        self._at_address[party[0]] += 1
        try:
            has_turn = await place
        except asyncio.CancelledError:
            if not place.done() or place.cancelled():
                self._leave(party, place)
            elif place.result():
                self._pass_on()  # its turn came as it left
            raise
        if not has_turn:
            raise Crowded

    def _has_room(self, address: str) -> bool:
        """Turn somebody away whose address has more waiting than *address* would."""
        (longest, waiting), *_ = self._at_address.most_common(1)
        if waiting <= self._at_address[address] + 1:
            return False
        lines = [(p, line) for p, line in self._lines.items() if p[0] == longest]
        party, line = max(lines, key=lambda each: len(each[1]))
        place = line[-1]
        self._leave(party, place)
        if not place.done():
            place.set_result(False)
        return True

    def _pass_on(self) -> None:
        while self._lines:
            party, line = next(iter(self._lines.items()))
            place = line[0]
            self._leave(party, place)
            if party in self._lines:
                self._lines.move_to_end(party)
            if not place.done():
                place.set_result(True)
                return
        self._free += 1

    def _leave(self, party: Party, place: asyncio.Future[bool]) -> None:
        line = self._lines.get(party)
        if line is None or place not in line:
            return
        line.remove(place)
        if not line:
            del self._lines[party]
        self._at_address[party[0]] -= 1
        if not self._at_address[party[0]]:
            del self._at_address[party[0]]
