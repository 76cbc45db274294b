"""Which refresh token counts where a store went back or a lock was lost: none goes."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from everbearer.errors import EverbearerError
from everbearer.events import EmergencyCopy, SaveFailed
from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record
from everbearer.stores.memory import Memory
from renewal.bench import Bench
from renewal.model_server import unavailable
from renewal.virtual_time import HOUR, run, virtual

FOR_EVER = 10_000


def on_disk(bench: Bench) -> set[str]:
    """Return every refresh token that the store or a copy has."""
    copies = bench.memory.rescued.get(bench.profile.key, [])
    tokens = [
        token
        for record in (bench.record, *copies)
        for token in (record.refresh_token, *record.earlier_refresh_tokens)
    ]
    return {token.reveal() for token in tokens if token is not None}


def beside(bench: Bench) -> Bench:
    """Return a process on the same records and copies to which our lock is none."""
    memory = Memory(records=bench.memory.records, rescued=bench.memory.rescued)
    return Bench(server=bench.server, memory=memory)


async def quiet(work) -> None:
    """Do *work*, whatever comes of it."""
    with contextlib.suppress(EverbearerError):
        await work


async def kill(bench: Bench) -> None:
    """End all that a process does, wherever it is."""
    for task in list(bench.tasks._running):
        task.cancel()
    await bench.tasks.drain()


async def unsaved(bench: Bench, *, spared: int = 1) -> None:
    """Renew, where the store takes so many saves and none after."""
    bench.store.spared_saves, bench.store.failing_saves = spared, FOR_EVER
    bench.manager._depart("asked", forced=True)
    await bench.clock.sleep(1)


async def with_backup() -> tuple[Bench, Record]:
    """Return a process whose newest pair is in a copy alone, and an old record."""
    bench = Bench()
    await bench.request()
    backup = bench.record
    await bench.manager.renew()
    await bench.request()
    await unsaved(bench)
    bench.server.revoke("access-2")
    assert await bench.request() == 200  # only refresh-3 lives
    return bench, backup


@virtual
async def test_a_store_brought_back_from_a_backup_is_older_than_the_copy() -> None:
    """The next process takes the copy in, and the profile works on."""
    bench, backup = await with_backup()
    await kill(bench)
    bench.memory.records[bench.profile.key] = backup
    after = Bench(server=bench.server, memory=bench.memory)
    after.server.revoke("access-3")
    await quiet(after.request())  # the backup's token is dead, and so is the copy's
    assert await after.request() == 200
    assert after.server.requests[-1]["refresh_token"] == "refresh-3"
    assert not after.memory.rescued


@virtual
async def test_a_store_that_went_back_in_time_yields_to_what_is_in_memory() -> None:
    """The database fails over to a server that lags: the newer pair is saved there."""
    bench, lagging = await with_backup()
    bench.memory.records[bench.profile.key] = lagging
    bench.store.failing_saves = 0
    await bench.clock.sleep(10)
    assert bench.record.refresh_token == Secret("refresh-3")
    assert not bench.memory.rescued
    bench.server.revoke("access-3")
    assert await bench.request() == 200


@virtual
async def test_a_copy_that_stays_behind_wins_once_over_a_store_that_went_back() -> None:
    """What the store has since is the newer, although its versions were behind."""
    bench, backup = await with_backup()
    await kill(bench)
    copies = [replace(c, version=99) for c in bench.memory.rescued[bench.profile.key]]
    bench.memory.rescued[bench.profile.key] = list(copies)
    bench.memory.records[bench.profile.key] = backup
    after = Bench(server=bench.server, memory=bench.memory)
    for _ in range(3):
        await after.manager.renew()
        after.memory.rescued[bench.profile.key] = list(copies)
    assert await after.request() == 200
    assert after.record.refresh_token == Secret("refresh-6")


@virtual
async def test_a_copy_of_which_nothing_is_known_is_kept_and_told() -> None:
    """Its redeem is none of the store's: it is neither used nor removed."""
    bench = Bench()
    await bench.request()
    unknown = Record(
        version=1,
        refresh_token=Secret("unknown"),
        intent=Intent(1.0, Secret("nobody's").fingerprint()),
    )
    await bench.store.rescue(bench.profile.key, unknown)
    for _ in range(3):
        await bench.manager.renew()
    assert bench.memory.rescued[bench.profile.key] == [unknown]
    [told] = bench.told(EmergencyCopy)
    assert "is kept" in told.message
    [notice] = (await bench.manager.status()).notices
    assert (notice.message, notice.hint) == (told.message, told.hint)
    await unsaved(bench)
    assert {"unknown", "refresh-5"} <= on_disk(bench)


@virtual
async def test_what_is_known_goes_and_what_is_not_stays() -> None:
    """One copy is taken in, one is in the store already, of one nothing is known."""
    bench = Bench()
    await bench.request()
    stored, key = bench.record, bench.profile.key
    redeemed = Intent(1.0, stored.refresh_token.fingerprint())
    newer = replace(stored, refresh_token=Secret("refresh-9"), intent=redeemed)
    unknown = replace(stored, refresh_token=Secret("unknown"), version=1)
    bench.memory.rescued[key] = [newer, unknown]
    assert await bench.manager._source._rescuing.take_in(stored) == bench.record
    assert bench.record.refresh_token == Secret("refresh-9")
    assert bench.memory.rescued[key] == [unknown]
    bench.memory.rescued[key].append(replace(newer, version=2))
    assert await bench.manager._source._rescuing.take_in(bench.record) == bench.record
    assert bench.memory.rescued[key] == [unknown]


@pytest.mark.parametrize("answered", [False, True])
def test_a_lost_lock_and_anothers_intent_take_no_refresh_token(answered) -> None:
    """
    Another drops the dead access token and redeems nothing: our pair is saved.

    It is killed before its request arrives, or the endpoint is away for it.
    """

    async def scenario() -> None:
        bench = Bench()
        bench.server.strict = True
        await bench.request()
        bench.server.way_back = 5.0
        waiting = bench.tasks.spawn(quiet(bench.manager.renew()), "waiting")
        await bench.clock.sleep(0.15)  # redeemed, the answer is on its way
        bench.server.way_back = 0.0
        other = beside(bench)
        fingerprint = bench.record.access_token.fingerprint()
        if answered:
            bench.server.faults.append(unavailable(retry_after="60"))
            await quiet(other.manager.recover(fingerprint))
        else:
            bench.server.latency = 2.0
            other.tasks.spawn(quiet(other.manager.recover(fingerprint)), "asked")
            await bench.clock.sleep(0.1)
            await kill(other)
        assert bench.record.access_token is None
        await waiting
        assert bench.record.refresh_token == Secret("refresh-2")

    run(scenario())


@virtual
async def test_what_yields_to_another_is_kept() -> None:
    """Our lock was lost and another saved its own: ours goes into a copy, told."""
    bench = Bench()
    await bench.request()
    bench.server.way_back = 5.0
    waiting = bench.tasks.spawn(quiet(bench.manager.renew()), "waiting")
    await bench.clock.sleep(0.15)
    bench.store.failing_rescues = 2
    theirs = replace(bench.record, refresh_token=Secret("theirs"))
    await bench.store.inner.save(bench.profile.key, theirs)
    await waiting
    assert on_disk(bench) == {"theirs", "refresh-2"}
    assert bench.told(SaveFailed)[0].rescued == ""
    assert "is kept in memory" in bench.told(EmergencyCopy)[-1].message


@virtual
async def test_who_lost_the_lock_leaves_the_next_holders_copy() -> None:
    """Another took our copy in, redeemed on and could not save: its copy stays."""
    bench = Bench()
    await bench.request()
    await unsaved(bench)
    other = beside(bench)
    await other.manager.renew()
    assert bench.record.refresh_token == Secret("refresh-3")
    other.server.use("access-3")
    await unsaved(other)
    bench.store.failing_saves = 0
    await bench.clock.sleep(10)
    assert "refresh-4" in on_disk(bench)


@virtual
async def test_who_finds_his_own_tokens_saved_leaves_a_newer_copy() -> None:
    """Another took our copy in, wrote its own and was killed: that one counts."""
    bench = Bench()
    await bench.request()
    await unsaved(bench)
    other = beside(bench)
    await unsaved(other, spared=2)  # the copy taken in, and the intent
    assert bench.record.refresh_token == Secret("refresh-2")
    other.server.use("access-3")
    await kill(other)
    bench.store.failing_saves = 0
    await bench.clock.sleep(10)
    assert "refresh-3" in on_disk(bench)
    await bench.clock.sleep(HOUR)
    after = Bench(server=bench.server, memory=bench.memory)
    assert await after.request() == 200
