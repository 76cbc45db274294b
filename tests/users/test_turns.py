"""Who is served next, where few are served at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.users.turns import Crowded, Party, Turns


class Hall:
    """People who want a turn, and the order in which they had it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[Party] = []
        self.inside = 0
        self.most = 0
        self._out: list[Callable[[], None]] = []

    async def come(self, party: Party) -> None:
        """Wait for a turn, and stay until `let_out`."""
        async with self.turns.turn(party):
            self.served.append(party)
            self.inside += 1
            self.most = max(self.most, self.inside)
            left = asyncio.Event()
            self._out.append(left.set)
            try:
                await left.wait()
            finally:
                self.inside -= 1

    async def let_out(self) -> None:
        """Let the one out who has been inside longest, and whoever is next in."""
        self._out.pop(0)()
        await settle()


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def turns(at_once: int = 1, **limits: int) -> Turns:
    """Return turns without limits that matter, but for *limits*."""
    return Turns(at_once, **({"of_party": 99, "of_address": 99, "in_all": 99} | limits))


async def test_parties_take_turns():
    """Who asks ten times waits ten turns; who asks once waits for one of those."""
    hall = Hall(turns())
    many, one = ("a", "many"), ("b", "one")
    tasks = [asyncio.create_task(hall.come(many)) for _ in range(10)]  # noqa: TID251
    await settle()
    tasks.append(asyncio.create_task(hall.come(one)))  # noqa: TID251
    await settle()
    for _ in range(11):
        await hall.let_out()
    await asyncio.gather(*tasks)
    assert hall.served.index(one) <= 2
    assert hall.most == 1


@pytest.mark.parametrize(
    ("limits", "crowd"),
    [
        ({"of_party": 2}, [("a", "x")] * 3),
        ({"of_address": 2}, [("a", "x"), ("a", "y"), ("a", "z")]),
        ({"in_all": 2}, [("a", "x"), ("b", "x"), ("c", "x")]),
    ],
)
async def test_a_crowd_is_turned_away_at_once(limits, crowd):
    """Two wait, the third is told; afterwards there is room again."""
    hall = Hall(turns(**limits))
    first = asyncio.create_task(hall.come(("z", "z")))  # noqa: TID251
    await settle()
    waiting = [asyncio.create_task(hall.come(p)) for p in crowd[:2]]  # noqa: TID251
    await settle()
    with pytest.raises(Crowded):
        await hall.come(crowd[2])
    for _ in range(3):
        await hall.let_out()
    await asyncio.gather(first, *waiting)
    last = asyncio.create_task(hall.come(crowd[2]))  # noqa: TID251
    await settle()
    await hall.let_out()
    await last


async def test_room_is_made_by_who_has_most_waiting():
    """The last of the longest line goes; who would have as many is told instead."""
    hall = Hall(turns(in_all=3))
    tasks = [asyncio.create_task(hall.come(("z", "z")))]  # noqa: TID251
    crowd = [("a", "x"), ("a", "x"), ("b", "x")]
    for party in crowd:
        await settle()
        tasks.append(asyncio.create_task(hall.come(party)))  # noqa: TID251
    await settle()
    tasks.append(asyncio.create_task(hall.come(("c", "x"))))  # noqa: TID251
    await settle()
    with pytest.raises(Crowded):
        await tasks[2]
    with pytest.raises(Crowded):
        await hall.come(("d", "x"))
    for _ in range(4):
        await hall.let_out()
    await asyncio.gather(*tasks[:2], *tasks[3:])
    assert sorted(hall.served[1:]) == [("a", "x"), ("b", "x"), ("c", "x")]


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "leave"]), st.integers(0, 5))))
def test_no_turn_is_lost_or_given_twice(steps):
    """However people come, are served and run away: never more than two inside."""
    asyncio.run(_go_through(steps))


async def _go_through(steps: list[tuple[str, int]]) -> None:
    hall = Hall(turns(2))
    tasks: list[asyncio.Task[None]] = []
    for what, number in steps:
        if what == "come":
            party = (str(number % 2), str(number % 3))
            tasks.append(asyncio.create_task(hall.come(party)))  # noqa: TID251
        elif what == "go" and hall.inside:
            tasks[number % len(tasks)].cancel()
        elif tasks:
            tasks[number % len(tasks)].cancel()
            if number % 2:
                await settle()
    await settle()
    alive = [task for task in tasks if not task.done()]
    assert hall.inside == min(2, len(alive))
    for task in alive:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert hall.most <= 2
    both = [asyncio.create_task(hall.come(("n", "n"))) for _ in range(2)]  # noqa: TID251
    await settle()
    assert hall.inside == 2
    for task in both:
        task.cancel()
    await asyncio.gather(*both, return_exceptions=True)
