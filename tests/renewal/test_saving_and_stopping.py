"""A new token is on disk before it is used; stopping waits for that."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import StoreConflict, StoreError, TokenEndpointUnavailable
from everbearer.events import RenewalFailed, SaveFailed
from everbearer.secret import Secret
from renewal.bench import Bench, client_grant
from renewal.model_server import unavailable
from renewal.virtual_time import HOUR, virtual


@virtual
async def test_the_token_is_on_disk_before_it_is_served() -> None:
    """While the save fails nobody gets the new token; when it succeeds, everybody."""
    bench = Bench()
    bench.store.spared_saves, bench.store.failing_saves = 1, 3
    bench.store.failing_rescues = 3
    token = await bench.manager.credential()
    assert bench.record.access_token == token.value
    assert [event.rescued for event in bench.told(SaveFailed)] == [""]
    assert bench.calls == 1


@virtual
async def test_the_old_token_serves_while_the_new_one_cannot_be_saved() -> None:
    """EXPIRED and the disk full: the old token at once, the lock stays held."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.store.spared_saves, bench.store.failing_saves = 1, 10_000
    await bench.clock.sleep(HOUR - 5)
    assert bench.calls == 2
    begun = bench.clock.now()
    assert (await bench.manager.credential()).fingerprint == old.fingerprint
    assert bench.clock.now() == begun
    assert bench.memory.locks[bench.profile.key].locked()
    assert [event.rescued for event in bench.told(SaveFailed)] == ["memory"]
    bench.store.failing_saves = 0
    await bench.clock.sleep(6)
    assert bench.manager.ready(bench.clock.now()).value == Secret("access-2")
    assert bench.calls == 2


@virtual
async def test_nothing_is_redeemed_with_a_store_that_cannot_be_written() -> None:
    """The intent cannot be saved: no token request at all."""
    bench = Bench(client_grant())
    bench.store.failing_saves = 10_000
    with pytest.raises(StoreError):
        await bench.manager.credential()
    assert bench.calls == 0
    assert [event.code for event in bench.told(RenewalFailed)] == ["store_error"]


@virtual
async def test_a_store_that_cannot_be_read_does_not_end_a_living_token() -> None:
    """Loading fails in the background: the token serves on, and is renewed later."""
    bench = Bench()
    await bench.request()
    await bench.clock.sleep(1)
    bench.store.failing_loads = 3
    await bench.clock.sleep(HOUR - 250)
    assert bench.store.failing_loads == 0
    assert await bench.request() == 200
    assert bench.calls == 2


@virtual
async def test_a_failure_that_cannot_be_remembered_is_told_all_the_same() -> None:
    """The endpoint is down and the disk is full: both are published."""
    bench = Bench()
    bench.server.faults.append(unavailable(retry_after="60"))
    bench.store.spared_saves, bench.store.failing_saves = 1, 1
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.credential()
    assert bench.count_events() == {"TokenRequested": 1, "RenewalFailed": 2}


@virtual
async def test_a_save_that_took_place_unnoticed_is_not_a_conflict() -> None:
    """The answer of a commit was lost: the next try finds its own record."""
    bench = Bench()

    class Unnoticed(type(bench.store)):
        async def save(self, key, record):
            saved = await super().save(key, record)
            if record.access_token and bench.told(SaveFailed) == []:
                raise StoreError("no answer from the disk")
            return saved

    bench.store.__class__ = Unnoticed
    assert await bench.request() == 200
    assert bench.calls == 1
    assert bench.record.refresh_token == Secret("refresh-1")


@virtual
async def test_a_lost_lock_does_not_overwrite_what_another_renewed() -> None:
    """Somebody saved a newer pair during our redeem: theirs stays, and is served."""
    bench = Bench()
    other = Bench(server=bench.server)  # a store of its own: nothing is locked
    bench.server.way_back = 5.0
    waiting = bench.tasks.spawn(bench.manager.credential(), "waiting")
    await bench.clock.sleep(0.15)  # redeemed, the answer on its way
    bench.server.way_back = 0.0
    await other.manager.credential()
    await other.manager.renew()
    bench.memory.records[bench.profile.key] = other.record
    assert (await waiting).value == Secret("access-2")
    assert bench.record == other.record
    assert bench.record.refresh_token == Secret("refresh-2")


@virtual
async def test_a_refusal_after_a_lost_lock_yields_to_what_another_renewed() -> None:
    """Our refresh token is dead because theirs is in use: theirs is the answer."""
    bench = Bench()
    other = Bench(server=bench.server)
    bench.server.latency = 10.0
    waiting = bench.tasks.spawn(bench.manager.credential(), "waiting")
    await bench.clock.sleep(0.05)  # on its way, not redeemed
    bench.server.latency = 0.2
    await other.request()
    bench.memory.records[bench.profile.key] = other.record
    assert (await waiting).value == Secret("access-1")
    assert bench.record == other.record


@virtual
async def test_a_changed_record_without_a_token_is_a_conflict() -> None:
    """Somebody removed the grant during our redeem: no token, and no overwriting."""
    bench = Bench()
    await bench.manager.credential()
    asked = bench.tasks.spawn(_conflict(bench), "asked")
    await bench.clock.sleep(0.15)
    emptied = type(bench.record)(bench.record.version)
    await bench.store.save(bench.profile.key, emptied)
    assert await asked
    assert bench.record.refresh_token is None


async def _conflict(bench: Bench) -> bool:
    with pytest.raises(StoreConflict):
        await bench.manager.renew()
    return True


@virtual
async def test_stopping_waits_for_the_save() -> None:
    """A redeem is under way: stop returns once its token is in the store."""
    bench = Bench()
    waiter = asyncio.ensure_future(bench.manager.credential())
    await bench.clock.sleep(0.05)
    await bench.manager.stop()
    assert bench.record.access_token == Secret("access-1")
    assert (await waiter).value == Secret("access-1")


@virtual
async def test_stopping_waits_for_a_save_that_fails_at_first() -> None:
    """The disk recovers in time: nothing is lost by the stop."""
    bench = Bench()
    bench.store.spared_saves, bench.store.failing_saves = 1, 5
    bench.store.failing_rescues = 5
    waiter = asyncio.ensure_future(bench.manager.credential())
    await bench.clock.sleep(0.5)
    await bench.manager.stop()
    assert bench.record.access_token == (await waiter).value


@virtual
async def test_stopping_ends_although_the_save_never_succeeds() -> None:
    """The disk stays full: stop returns after 30 s, the lock is free."""
    bench = Bench()
    await bench.manager.credential()
    bench.store.spared_saves, bench.store.failing_saves = 1, 10_000
    bench.store.failing_rescues = 10_000
    asked = asyncio.ensure_future(bench.manager.renew())
    await bench.clock.sleep(1)
    begun = bench.clock.now()
    await bench.manager.stop()
    assert bench.clock.now() - begun <= 31
    assert not bench.memory.locks[bench.profile.key].locked()
    with pytest.raises((StoreError, TokenEndpointUnavailable)):
        await asked


@virtual
async def test_stopping_does_not_wait_for_backoff_nor_for_the_lock() -> None:
    """Nothing was asked for that must be kept: waiters are refused at once."""
    for backoff in (True, False):
        bench = Bench()
        bench.server.faults.append(unavailable(retry_after="20"))
        lock = bench.memory.locks[bench.profile.key]
        if not backoff:
            await lock.acquire()
        waiter = asyncio.ensure_future(bench.manager.credential())
        await bench.clock.sleep(2)
        begun = bench.clock.now()
        await bench.stop()
        assert bench.clock.now() == begun
        with pytest.raises(TokenEndpointUnavailable, match="stopping"):
            await waiter
        with pytest.raises(TokenEndpointUnavailable, match="stopping"):
            await bench.manager.credential()


@virtual
async def test_stopping_during_a_failing_request_does_not_retry() -> None:
    """The answer under way is bad: it is remembered, and that is the end."""
    bench = Bench()
    bench.server.faults.extend([unavailable()] * 50)
    waiter = asyncio.ensure_future(bench.manager.credential())
    await bench.clock.sleep(0.05)
    await bench.stop()
    with pytest.raises(TokenEndpointUnavailable):
        await waiter
    assert bench.calls == 1
    assert bench.record.trouble is not None


@virtual
async def test_a_retired_manager_serves_its_waiters_first() -> None:
    """A reload replaces a profile: the request that waits gets its token."""
    bench = Bench()
    bench.server.faults.append(unavailable(retry_after="10"))
    waiter = asyncio.ensure_future(bench.manager.credential())
    await bench.clock.sleep(1)
    await bench.manager.retire()
    assert (await waiter).value == Secret("access-1")
    await bench.tasks.drain()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_stopped_manager_serves_what_it_holds() -> None:
    """A reload replaced it: those who still ask get the STALE token, no renewal."""
    bench = Bench()
    token = await bench.manager.credential()
    await bench.stop()
    await bench.clock.sleep(HOUR - 100)
    assert bench.manager.ready(bench.clock.now()) is token
    assert await bench.manager.credential() is token
    assert bench.calls == 1


@virtual
async def test_a_save_that_did_not_take_place_follows_a_harmless_change() -> None:
    """Somebody noted a trouble under a lost lock: our tokens still go to disk."""
    bench = Bench()
    waiting = bench.tasks.spawn(bench.manager.credential(), "waiting")
    await bench.clock.sleep(0.15)
    await bench.store.save(bench.profile.key, bench.record)
    assert (await waiting).value == bench.record.access_token
    assert bench.calls == 1


@virtual
async def test_nothing_runs_after_a_stop() -> None:
    """No timer, no watcher, no renewal: all tasks have ended."""
    bench = Bench(client_grant())
    await bench.request()
    await bench.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await bench.clock.sleep(10 * HOUR)
    assert bench.calls == 1
