"""Programs that ask all at once are told what was found out once."""

from __future__ import annotations

import asyncio

from everbearer.dashboard.together import together


async def test_who_asks_at_once_is_answered_at_once():
    """It is made once, also where the first who asked goes; then it is made anew."""
    begun, go = 0, asyncio.Event()

    async def make() -> int:
        nonlocal begun
        begun += 1
        await go.wait()
        return begun

    ask = together(make)
    first, *others = [asyncio.ensure_future(ask()) for _ in range(100)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert set(await asyncio.gather(*others)) == {1}
    assert await ask() == 2
