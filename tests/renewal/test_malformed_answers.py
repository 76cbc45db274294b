"""A malformed answer, and the refresh token in it that may be the only one."""

from __future__ import annotations

import traceback

import pytest

from everbearer.errors import (
    ReauthorizationRequired,
    StoreError,
    TokenEndpointUnavailable,
    TokenResponseMalformed,
)
from everbearer.events import RenewalFailed, SaveFailed
from everbearer.secret import Secret
from everbearer.stores.contract import TroubleKind
from renewal.bench import Bench
from renewal.model_server import LOST, MASKED, REFUSED, SEED, SPOILT, Fault
from renewal.virtual_time import run, virtual

LONGER_THAN_THE_PAUSE = 70


def redeemed(bench: Bench) -> list[str]:
    """Return what was redeemed at the server, in order."""
    return [form["refresh_token"] for form in bench.server.requests]


async def malformed(*faults) -> Bench:
    """Return a process of a strict server's client, after malformed answers."""
    bench = Bench()
    bench.server.strict = True
    for fault in faults:
        bench.server.faults.append(fault)
        with pytest.raises(TokenResponseMalformed):
            await bench.manager.credential()
        await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    return bench


@pytest.mark.parametrize("times", [1, 4])
def test_the_chain_goes_on_through_malformed_answers(times) -> None:
    """A strict server spoils its answers: the next redeem has what the last brought."""

    async def scenario() -> None:
        bench = await malformed(*[SPOILT] * times)
        assert await bench.request() == 200
        assert redeemed(bench) == [f"refresh-{n}" for n in range(times + 1)]
        assert not bench.record.earlier_refresh_tokens
        assert bench.record.trouble is None

    run(scenario())


@virtual
async def test_the_trouble_is_saved_with_the_refresh_token() -> None:
    """Every process of the store knows both, and asks no sooner than the pause ends."""
    bench = await malformed()
    bench.server.faults.append(SPOILT)
    with pytest.raises(TokenResponseMalformed):
        await bench.manager.credential()
    record = bench.record
    assert record.trouble.kind is TroubleKind.MALFORMED
    assert record.refresh_issued_at == pytest.approx(bench.clock.wall(), abs=1)
    other = Bench(server=bench.server, memory=bench.memory)
    with pytest.raises(TokenResponseMalformed):
        await other.manager.credential()
    assert bench.calls == 1
    await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    assert await other.request() == 200


@virtual
async def test_a_refresh_token_that_was_none_gives_way_to_the_one_before() -> None:
    """Somebody masked the answer: what it held is refused, the one before is tried."""
    bench = await malformed(MASKED)
    assert bench.record.refresh_token == Secret("****")
    assert await bench.request() == 200
    assert redeemed(bench) == [SEED, "****", SEED]
    assert bench.record.refresh_token == Secret("refresh-1")
    assert not bench.record.earlier_refresh_tokens
    assert not [f for f in bench.told(RenewalFailed) if not f.retry_at]


def masked(number: int) -> Fault:
    """Return a fault whose answer was made up on the way, each time another."""
    spoils = {"access_token": "* *", "refresh_token": f"masked-{number}"}
    return Fault("masked", spoils=spoils)


@pytest.mark.parametrize(
    ("before", "times"), [((), 2), ((), 20), ((SPOILT, SPOILT), 2)]
)
def test_what_was_never_proven_pushes_nothing_real_out(times, before) -> None:
    """Made-up answers in a row: the refresh token that they hide is redeemed again."""

    async def scenario() -> None:
        made_up = [masked(number) for number in range(times)]
        bench = Bench()
        await bench.request()
        bench.server.strict = True
        bench.server.faults.extend([*before, *made_up])
        for _ in range(len(before) + times):
            with pytest.raises(TokenResponseMalformed):
                await bench.manager.renew()
        alive = Secret(f"refresh-{1 + len(before)}")
        assert alive in bench.record.earlier_refresh_tokens
        assert len(bench.record.earlier_refresh_tokens) <= 8
        await bench.manager.renew()
        assert not bench.record.earlier_refresh_tokens

    run(scenario())


@virtual
async def test_the_one_before_is_tried_once() -> None:
    """Both are refused: that is the last word, and nobody is asked again."""
    bench = await malformed(SPOILT)
    bench.server.end_grant()
    for _ in range(3):
        with pytest.raises(ReauthorizationRequired):
            await bench.manager.credential()
        await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    assert redeemed(bench) == [SEED, "refresh-1", SEED]
    assert bench.record.trouble.kind is TroubleKind.REAUTHORIZE
    assert not bench.record.earlier_refresh_tokens
    assert bench.record.intent is None


@virtual
async def test_no_answer_is_no_refusal_of_the_new_one() -> None:
    """The endpoint is away for a while: the new refresh token is asked for again."""
    bench = await malformed(SPOILT)
    bench.server.faults.extend([REFUSED, REFUSED])
    assert await bench.request() == 200
    assert set(redeemed(bench)[1:]) == {"refresh-1"}


@virtual
async def test_no_answer_to_the_second_chance_leaves_it_for_the_next() -> None:
    """The one before is current again before it is sent: a crash does not lose it."""
    bench = await malformed(MASKED)
    bench.server.latency = 10.0
    asked = bench.tasks.spawn(bench.manager.credential(), "asked")
    await bench.clock.sleep(12)  # refused, and the second chance is on its way
    for task in bench.tasks._running:
        task.cancel()
    await bench.tasks.drain()
    assert asked.cancelled()
    assert bench.record.refresh_token == Secret(SEED)
    bench.server.latency = 0.2
    again = Bench(server=bench.server, memory=bench.memory)
    assert await again.request() == 200


@virtual
async def test_a_second_chance_that_cannot_be_noted_is_not_sent() -> None:
    """The disk is full: StoreError, and the next renewal comes to the same."""
    bench = await malformed(MASKED)
    bench.store.spared_saves, bench.store.failing_saves = 1, 1
    with pytest.raises(StoreError):
        await bench.manager.credential()
    assert redeemed(bench) == [SEED, "****"]
    await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    assert await bench.request() == 200


@pytest.mark.parametrize("copies", [0, 2])
def test_a_full_disk_does_not_lose_it(copies) -> None:
    """The store, or both disks, are full for a while: it waits elsewhere."""

    async def scenario() -> None:
        bench = Bench()
        bench.server.strict = True
        bench.server.faults.append(SPOILT)
        bench.store.spared_saves, bench.store.failing_saves = 1, 5
        bench.store.failing_rescues = copies
        with pytest.raises(TokenResponseMalformed):
            await bench.manager.credential()
        assert bench.told(SaveFailed)
        assert bench.record.refresh_token == Secret("refresh-1")
        await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
        assert await bench.request() == 200
        assert bench.calls == 2

    run(scenario())


@virtual
async def test_a_killed_process_leaves_it_in_the_copy() -> None:
    """The store never takes it: the next process redeems what the copy holds."""
    bench = Bench()
    bench.server.strict = True
    bench.server.faults.append(SPOILT)
    bench.store.spared_saves, bench.store.failing_saves = 1, 10_000
    bench.tasks.spawn(bench.manager.credential(), "asked")
    await bench.clock.sleep(1)
    lock = bench.memory.locks[bench.profile.key]
    assert lock.locked()
    for task in bench.tasks._running:
        task.cancel()
    await bench.tasks.drain()
    assert bench.record.refresh_token is None
    await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    again = Bench(server=bench.server, memory=bench.memory)
    assert await again.request() == 200
    assert redeemed(bench) == [SEED, "refresh-1"]


@virtual
async def test_another_that_renewed_meanwhile_wins() -> None:
    """The lock was lost while it was not saved: the other's token is the answer."""
    bench = Bench()
    bench.server.faults.append(SPOILT)
    bench.store.spared_saves, bench.store.failing_saves = 1, 3
    asked = bench.tasks.spawn(bench.manager.credential(), "asked")
    await bench.clock.sleep(0.25)
    other = Bench(server=bench.server)
    await other.manager.renew()
    bench.memory.records[bench.profile.key] = other.record
    assert (await asked).value == other.record.access_token
    assert bench.record == other.record


@virtual
async def test_a_lost_answer_after_a_malformed_one_is_repeated() -> None:
    """Box gives the same pair again to the refresh token that the answer held."""
    bench = await malformed()
    bench.server.strict = False
    bench.server.faults.extend([SPOILT, LOST])
    with pytest.raises(TokenResponseMalformed):
        await bench.manager.credential()
    await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    assert await bench.request() == 200
    assert redeemed(bench) == [SEED, "refresh-1", "refresh-1"]


@virtual
async def test_nobody_sees_what_it_carries() -> None:
    """Neither error, nor traceback, nor event, nor trouble holds it."""
    bench = Bench()
    bench.server.faults.append(SPOILT)
    with pytest.raises(TokenResponseMalformed) as failure:
        await bench.manager.credential()
    error = failure.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    shown += repr(bench.events) + repr(bench.record)
    assert "refresh-1" not in shown
    assert error.refresh_token is None
    assert bench.record.refresh_token == Secret("refresh-1")


@virtual
async def test_an_endpoint_that_is_away_keeps_both() -> None:
    """A trouble of another kind in between takes the second chance from nobody."""
    bench = await malformed(MASKED)
    bench.server.faults.extend([REFUSED] * 50)
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.credential()
    assert bench.record.earlier_refresh_tokens == (Secret(SEED),)
    bench.server.faults.clear()
    await bench.clock.sleep(LONGER_THAN_THE_PAUSE)
    assert await bench.request() == 200
