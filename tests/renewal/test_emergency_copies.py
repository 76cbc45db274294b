"""What could be redeemed and not saved is in an emergency copy, and comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from everbearer.errors import StoreError
from everbearer.events import EmergencyCopy, RenewalFailed, SaveFailed
from everbearer.renewal.copies import taken_in
from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record, Rescued
from renewal.bench import Bench, client_grant
from renewal.virtual_time import HOUR, virtual

FOR_EVER = 10_000


def fill(bench: Bench, *, rescues: int = 0) -> Bench:
    """Let every save but the next fail, and so many copies."""
    bench.store.spared_saves, bench.store.failing_saves = 1, FOR_EVER
    bench.store.failing_rescues = rescues
    return bench


def free(bench: Bench) -> None:
    """Let saves succeed."""
    bench.store.spared_saves = bench.store.failing_saves = 0
    bench.store.failing_rescues = 0


async def unsaved() -> Bench:
    """Return a process with a living token, that cannot save the next one."""
    bench = fill(Bench())
    bench.store.spared_saves = 3  # the first renewal, and the intent of the second
    assert await bench.request() == 200
    await bench.clock.sleep(HOUR / 2)
    bench.manager._depart("asked", forced=True)
    await bench.clock.sleep(1)
    assert bench.calls == 2
    return bench


async def kill(bench: Bench) -> None:
    """End all that a process does, wherever it is."""
    for task in bench.tasks._running:
        task.cancel()
    await bench.tasks.drain()


def restarted(bench: Bench) -> Bench:
    """Return another process on the same store."""
    return Bench(server=bench.server, memory=bench.memory)


@virtual
async def test_a_copys_token_that_was_refused_is_no_spare_again() -> None:
    """It is on disk, and each try to save it fails: it is offered to nobody."""
    bench = await unsaved()
    bench.server.revoke("access-1")
    assert await bench.request() == 200  # by the copy's
    bench.server.revoke("access-2")
    asked = bench.tasks.spawn(bench.request(), "asked")
    await bench.clock.sleep(20)
    assert bench.manager._held.spare is None
    assert bench.manager.ready(bench.clock.now()) is None
    asked.cancel()
    await kill(bench)


@virtual
async def test_the_old_token_serves_to_its_end_and_then_the_copys() -> None:
    """The save fails for ever: old token, then the new one, one token request."""
    bench = await unsaved()
    assert bench.memory.rescued
    old = bench.manager.ready(bench.clock.now())
    while (token := bench.manager._served()).fingerprint == old.fingerprint:
        assert bench.clock.now() < old.expires_at
        await bench.clock.sleep(1)
    assert token.value == Secret("access-2")
    assert bench.clock.now() - old.expires_at < 2
    for _ in range(20):
        assert await bench.request() == 200
        await bench.clock.sleep(60)
    assert bench.calls == 2
    assert bench.memory.locks[bench.profile.key].locked()


@virtual
async def test_who_waits_after_a_401_gets_the_copys_token_at_once() -> None:
    """The old token is refused while the new one lies in the copy alone."""
    bench = await unsaved()
    bench.server.revoke("access-1")
    begun = bench.clock.now()
    assert await bench.request() == 200
    assert bench.clock.now() == begun


@virtual
async def test_without_any_copy_the_new_token_is_not_used() -> None:
    """Neither disk takes it: refused within the patience, and the reason is told."""
    bench = fill(Bench(), rescues=FOR_EVER)
    with pytest.raises(StoreError, match="cannot be saved: the disk is full"):
        await bench.manager.credential()
    with pytest.raises(StoreError, match="cannot be saved: the disk is full"):
        await bench.manager.renew()
    notice = (await bench.manager.status()).notices[0]
    assert "not on disk" in notice.message
    assert "before everbearer is stopped" in notice.hint
    free(bench)
    await bench.clock.sleep(6)
    assert await bench.request() == 200
    assert bench.calls == 1


@virtual
async def test_a_copy_that_fails_at_first_is_tried_again() -> None:
    """The second disk has room a little later: served from then on."""
    bench = fill(Bench(), rescues=4)
    token = await bench.manager.credential()
    [copy] = bench.memory.rescued[bench.profile.key]
    assert copy.access_token == token.value
    assert [event.rescued for event in bench.told(SaveFailed)] == ["", "memory"]


@virtual
async def test_an_hour_of_failing_saves_is_told_once() -> None:
    """One line when it begins, one when it ends; `status` tells all the time."""
    bench = await unsaved()
    assert "in memory: the disk is full" in (
        (await bench.manager.status()).notices[0].message
    )
    await bench.clock.sleep(HOUR / 2)
    assert len(bench.told(SaveFailed)) == 1
    assert bench.told(EmergencyCopy) == []
    free(bench)
    await bench.clock.sleep(6)
    assert bench.record.access_token == Secret("access-2")
    assert bench.record.intent is None
    assert not bench.memory.rescued
    assert (await bench.manager.status()).notices == ()
    assert bench.count_events()["Renewed"] == 2
    assert bench.told(RenewalFailed) == []


@virtual
async def test_no_renewal_follows_the_save_at_once() -> None:
    """The copy's token was served before its save: its timer starts all the same."""
    bench = await unsaved()
    bench.server.revoke("access-1")
    assert await bench.request() == 200
    free(bench)
    for _ in range(30):
        await bench.clock.sleep(60)
        assert await bench.request() == 200
    assert bench.calls == 2


@virtual
async def test_stopping_with_a_copy_does_not_wait() -> None:
    """What was redeemed is on disk: the next start has it."""
    bench = await unsaved()
    begun = bench.clock.now()
    await bench.stop()
    assert bench.clock.now() - begun < 1
    after = restarted(bench)
    assert await after.request() == 200
    await after.clock.sleep(1)
    assert after.record.access_token == Secret("access-2")
    assert after.calls == 2


@virtual
async def test_stopping_ends_its_wait_when_the_copy_is_written() -> None:
    """No copy at first: stop waits for it, and not for the save."""
    bench = fill(Bench(), rescues=6)
    waiter = asyncio.ensure_future(bench.manager.credential())
    await bench.clock.sleep(0.5)
    await bench.stop()
    assert bench.memory.rescued
    await asyncio.wait({waiter})


@virtual
async def test_the_next_process_takes_the_copy_in_before_anything_else() -> None:
    """Killed with a copy on disk: its token is the record, and no request is sent."""
    bench = await unsaved()
    await kill(bench)
    after = restarted(bench)
    assert await after.request() == 200
    await after.clock.sleep(1)
    assert after.record.access_token == Secret("access-2")
    assert after.record.refresh_token == Secret("refresh-2")
    assert not after.memory.rescued
    (told,) = after.told(EmergencyCopy)
    assert told.message == "the emergency copy memory is in the store now"
    assert after.calls == 2


@virtual
async def test_a_dead_old_token_is_not_served_for_long_after_a_restart() -> None:
    """The copy's token was in use when the process died: at most one 401."""
    bench = await unsaved()
    bench.server.revoke("access-1")
    assert await bench.request() == 200
    await kill(bench)
    after = restarted(bench)
    assert await after.request() == 200
    assert after.calls == 2


@virtual
async def test_a_copy_serves_while_the_store_still_fails_after_a_restart() -> None:
    """It cannot be taken in: its token is served, nothing is redeemed."""
    bench = await unsaved()
    bench.server.revoke("access-1")
    await kill(bench)
    after = restarted(bench)
    after.store.failing_saves = FOR_EVER
    for _ in range(20):
        assert await after.request() == 200
        await after.clock.sleep(60)
    assert after.calls == 2
    free(after)
    await after.clock.sleep(10)
    assert await after.request() == 200
    assert not after.memory.rescued


@virtual
async def test_another_process_serves_the_copy_of_one_that_is_stuck() -> None:
    """The lock stays held: the other waits neither for it nor with a dead token."""
    bench = await unsaved()
    other = restarted(bench)
    assert await other.request() == 200
    assert other.manager._held.token.value == Secret("access-1")
    other.server.revoke("access-1")
    begun = other.clock.now()
    assert await other.request() == 200
    assert other.clock.now() - begun < 2
    assert other.calls == 2
    with pytest.raises(StoreError, match="cannot save"):
        await restarted(bench).manager.renew()


@virtual
async def test_what_lies_in_the_copy_is_redeemed_next() -> None:
    """Its access token has ended when somebody starts: its refresh token counts."""
    bench = await unsaved()
    await kill(bench)
    await bench.clock.sleep(2 * HOUR)
    after = restarted(bench)
    assert await after.request() == 200
    assert after.server.requests[-1]["refresh_token"] == "refresh-2"


@virtual
async def test_a_grant_without_refresh_tokens_has_copies_too() -> None:
    """Its new token is served while the store fails, and taken in at the next start."""
    bench = fill(Bench(client_grant()))
    assert await bench.request() == 200
    await kill(bench)
    after = Bench(client_grant(), server=bench.server, memory=bench.memory)
    assert await after.request() == 200
    await after.clock.sleep(1)
    assert after.calls == 1
    assert after.record.access_token == Secret("access-1")


@virtual
async def test_an_unreadable_copy_is_told_once_and_stops_nothing() -> None:
    """The record in the store is what there is; the copy is left where it is."""
    bench = Bench()

    class Damaged(type(bench.store)):
        async def rescued(self, key):
            error = StoreError("the emergency copy x is damaged", hint="mend it")
            return Rescued(unreadable=(error,))

    bench.store.__class__ = Damaged
    for _ in range(3):
        assert await bench.request() == 200
        await bench.manager.renew()
    (told,) = bench.told(EmergencyCopy)
    assert told.hint == "mend it"
    (notice,) = (await bench.manager.status()).notices
    assert notice.hint == "mend it"


@virtual
async def test_a_copy_that_cannot_be_removed_harms_nothing() -> None:
    """It stays behind a record that has moved on, and is never taken in."""
    bench = await unsaved()

    class Sticky(type(bench.store)):
        async def forget_rescued(self, key, forgettable):
            raise StoreError("the folder is read-only")

    bench.store.__class__ = Sticky
    free(bench)
    await bench.clock.sleep(6)
    for _ in range(3):
        await bench.manager.renew()
        assert await bench.request() == 200
    assert bench.memory.rescued
    assert bench.record.refresh_token == Secret("refresh-5")


SEED = Secret("seed")
OLD, NEW, OTHER = Secret("old"), Secret("new"), Secret("other")
COPY = Record(
    version=4,
    access_token=Secret("fresh"),
    refresh_token=NEW,
    intent=Intent(1.0, OLD.fingerprint()),
)
JWT_COPY = replace(COPY, refresh_token=None, intent=Intent(1.0, ""))


@pytest.mark.parametrize(
    ("stored", "copy", "wins"),
    [
        (Record(version=4, refresh_token=OLD), COPY, "copy"),
        (Record(version=7, refresh_token=OLD), COPY, "copy"),
        (Record(version=2, refresh_token=OLD), COPY, "copy"),
        (Record(), COPY, "copy"),
        (Record(version=5, refresh_token=OTHER), COPY, "store"),
        (Record(version=4, refresh_token=OTHER), COPY, "store"),
        (Record(version=5, refresh_token=NEW), COPY, "store"),
        (Record(version=5), COPY, "store"),
        (Record(version=4, refresh_token=OLD), replace(COPY, intent=None), "store"),
        (Record(version=4), JWT_COPY, "copy"),
        (Record(version=5), JWT_COPY, "store"),
    ],
)
def test_the_newer_of_the_chain_is_kept(stored, copy, wins) -> None:
    """The copy where the stored refresh token is the one redeemed for it."""
    expected = replace(copy, version=stored.version, intent=None)
    seed = SEED if copy.refresh_token else None
    assert taken_in(stored, copy, seed) == (expected if wins == "copy" else None)


def test_a_copy_of_the_seeds_redeem_follows_the_seed() -> None:
    """The store knows no refresh token yet: the seed was redeemed."""
    copy = replace(COPY, intent=Intent(1.0, SEED.fingerprint()))
    assert taken_in(Record(version=9), copy, SEED) is not None
    assert taken_in(Record(version=9), copy, OTHER) is None


@virtual
async def test_a_token_that_was_held_is_no_spare_for_the_next() -> None:
    """Served from its copy, then saved and renewed: it never comes back."""
    bench = fill(Bench())
    bench.store.failing_saves = 2
    asked = bench.tasks.spawn(bench.manager.renew(), "asked")
    await bench.clock.sleep(0.25)  # one save has failed, another will
    assert await bench.request() == 200
    first = await asked
    assert bench.manager._held.spare is None
    bench.server.clock.skew += 60  # the next one seems to end before it
    other = Bench(server=bench.server, memory=bench.memory)
    await other.manager.renew()
    assert await other.request() == 200
    await bench.clock.sleep(1)
    second = bench.manager.ready(bench.clock.now())
    assert second.fingerprint != first.fingerprint
    bench.server.revoke(second.value.reveal())
    assert await bench.request() == 200
