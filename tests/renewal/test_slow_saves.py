"""A save that hangs, is cancelled or breaks leaves an emergency copy."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from everbearer.errors import EverbearerError, StoreError
from everbearer.events import SaveFailed
from everbearer.renewal.saving import SLOW_SAVE
from everbearer.secret import Secret
from renewal.bench import Bench, FlakyStore
from renewal.client import Client
from renewal.virtual_time import virtual


class HangingStore(FlakyStore):
    """What brings a token hangs, for good or until it fails; cancelled or not."""

    hangs = 30.0
    fails: Exception | None = StoreError("is locked by another process")

    async def save(self, key, record, *, beyond=0):
        """Save what brings no token; hang with what does, as a thread does."""
        if record.intent is not None or not record.access_token:
            return await super().save(key, record, beyond=beyond)
        done = asyncio.ensure_future(asyncio.sleep(self.hangs))
        cancelled = None
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if self.fails is not None:
            raise self.fails
        return await super().save(key, record, beyond=beyond)


def hanging() -> Bench:
    """Return a process whose server is strict and whose store hangs."""
    bench = Bench()
    bench.server.strict = True
    bench.store.__class__ = HangingStore
    return bench


async def quiet(work) -> None:
    """Do *work*, whatever comes of it."""
    with contextlib.suppress(EverbearerError, ZeroDivisionError):
        await work


def copied(bench: Bench) -> list[Secret | None]:
    """Return the refresh tokens that are in copies."""
    copies = bench.memory.rescued.get(bench.profile.key, [])
    return [copy.refresh_token for copy in copies]


@virtual
async def test_a_save_that_takes_long_has_a_copy_meanwhile() -> None:
    """The copy is written after seconds and told, its token serves; then it goes."""
    bench = hanging()
    bench.store.fails = None
    asked = bench.tasks.spawn(bench.manager.credential(), "asked")
    await bench.clock.sleep(SLOW_SAVE + 1)
    assert copied(bench) == [Secret("refresh-1")]
    [told] = bench.told(SaveFailed)
    assert (told.rescued, told.message) == ("memory", "no answer of the store for 3 s")
    assert await bench.request() == 200
    await asked
    await bench.clock.sleep(30)
    assert bench.record.refresh_token == Secret("refresh-1")
    assert copied(bench) == []
    assert bench.calls == 1


@virtual
async def test_a_save_that_hangs_and_is_cancelled_leaves_a_copy() -> None:
    """What stops while the store hangs has the pair on disk, however soon it is cut."""
    bench = hanging()
    bench.store.hangs = 1.0
    asked = bench.tasks.spawn(quiet(bench.manager.renew()), "asked")
    await bench.clock.sleep(0.5)  # redeemed, and the save is under way
    assert copied(bench) == []
    for task in list(bench.tasks._running):
        task.cancel()
    await bench.tasks.drain()
    assert asked.cancelled()
    assert copied(bench) == [Secret("refresh-1")]


@virtual
async def test_stopping_while_the_store_hangs_leaves_a_copy() -> None:
    """The store's own patience is as long as that of the stop."""
    bench = hanging()
    bench.server.latency = 2.0
    bench.tasks.spawn(quiet(bench.manager.credential()), "asked")
    await bench.clock.sleep(1)
    await bench.stop()
    assert copied(bench) == [Secret("refresh-1")]


@virtual
async def test_a_clients_redeem_leaves_a_copy_as_well() -> None:
    """Its answer came, the save hangs, and everbearer stops."""
    client = Client(hanging())
    begun = await client.begin()
    answer = await client.ask()
    stopping = client.bench.tasks.spawn(client.redeems.stop(), "stop")
    await client.bench.clock.sleep(1)
    client.bench.tasks.spawn(begun.answered(answer), "answered")
    await asyncio.wait({stopping})
    assert copied(client.bench) == [Secret("refresh-1")]


@virtual
async def test_whatever_a_save_raises_leaves_a_copy() -> None:
    """A flaw of ours in the store: no more is tried, and the pair is on disk."""
    bench = hanging()
    bench.store.hangs, bench.store.fails = 0.0, ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await bench.manager._source.renew("asked", forced=True, stuck=lambda: None)
    assert copied(bench) == [Secret("refresh-1")]
