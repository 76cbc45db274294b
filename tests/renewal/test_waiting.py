"""Requests that wait for a renewal: what each gets, and how long it takes."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import StoreError, TokenEndpointUnavailable
from everbearer.events import RenewalFailed, SaveFailed
from everbearer.secret import Secret
from renewal.bench import Bench, client_grant
from renewal.model_server import LOST, unavailable
from renewal.virtual_time import HOUR, virtual


@virtual
async def test_a_cancelled_waiter_cancels_nothing() -> None:
    """A client that disconnects leaves the renewal to the others."""
    bench = Bench()
    waiters = [asyncio.ensure_future(bench.manager.credential()) for _ in range(5)]
    await asyncio.sleep(0.05)
    waiters[0].cancel()
    await asyncio.wait(waiters)
    assert waiters[0].cancelled()
    assert {w.result().value for w in waiters[1:]} == {Secret("access-1")}
    assert bench.calls == 1


@virtual
async def test_all_waiters_gone_the_renewal_still_ends_in_the_store() -> None:
    """The only waiter disconnects: the token is saved and there for the next."""
    bench = Bench()
    waiter = asyncio.ensure_future(bench.manager.credential())
    await asyncio.sleep(0.05)
    waiter.cancel()
    await asyncio.sleep(1)
    assert bench.record.access_token == Secret("access-1")
    assert bench.manager.ready(bench.clock.now()) is not None


@virtual
async def test_a_thousand_waiters_share_one_failure() -> None:
    """The endpoint is down: one flight, each waiter its own copy of its error."""
    bench = Bench()
    bench.server.faults.extend([unavailable(retry_after="120")] * 50)
    outcomes = await asyncio.gather(
        *(bench.manager.credential() for _ in range(1000)), return_exceptions=True
    )
    assert bench.calls == 1
    assert {type(outcome) for outcome in outcomes} == {TokenEndpointUnavailable}
    assert {outcome.retry_after for outcome in outcomes} == {120.0}
    assert len(set(map(id, outcomes))) == 1000


@virtual
async def test_trouble_is_outlasted_within_the_requests_patience() -> None:
    """A few failures: the request waits, and gets its token from a later attempt."""
    bench = Bench()
    bench.server.faults.extend([unavailable(), unavailable(500), LOST])
    token = await bench.manager.credential()
    assert bench.calls == 4
    # The lost answer was repeated with the same refresh token: the same pair.
    assert token.value == Secret("access-1")
    assert bench.record.intent is None
    assert bench.record.trouble is None


@virtual
async def test_patience_ends_after_thirty_seconds() -> None:
    """An outage: the request is refused with Retry-After, in bounded time."""
    bench = Bench()
    bench.server.faults.extend([unavailable()] * 500)
    begun = bench.clock.now()
    with pytest.raises(TokenEndpointUnavailable) as failure:
        await bench.manager.credential()
    assert failure.value.retry_after is not None
    assert failure.value.retry_after > 0
    assert bench.clock.now() - begun <= 31


@virtual
async def test_a_lock_that_is_never_free_ends_in_a_refusal() -> None:
    """Another holds the grant for ever: the waiter is told so after 30 s."""
    bench = Bench()
    async with bench.store.exclusive(bench.profile.key):
        with pytest.raises(TokenEndpointUnavailable, match="within 30 s"):
            await bench.manager.credential()
    assert await bench.request() == 200


@virtual
async def test_an_hour_of_outage_costs_at_most_130_requests() -> None:
    """Two processes on one store, both asked all the time, back off together."""
    first = Bench()
    second = Bench(server=first.server, memory=first.memory)
    first.server.faults.extend([unavailable()] * 5000)
    start = first.clock.now()

    async def hammer(bench: Bench) -> None:
        while bench.clock.now() < start + HOUR:
            with pytest.raises(TokenEndpointUnavailable):
                await bench.manager.credential()
            await bench.clock.sleep(0.5)

    await asyncio.gather(hammer(first), hammer(second))
    assert 60 <= first.calls <= 130


@virtual
async def test_an_asked_renewal_ends_when_only_its_copy_can_be_had_on_disk() -> None:
    """Whoever asked is told after 30 s; the next one takes the copy in."""
    bench = Bench()
    await bench.request()
    bench.store.spared_saves, bench.store.failing_saves = 1, 10_000
    begun = bench.clock.now()
    with pytest.raises(StoreError, match=r"emergency copy.*the disk is full"):
        await bench.manager.renew()
    assert bench.clock.now() - begun <= 31
    await bench.stop()
    bench.store.failing_saves = 0
    restarted = Bench(server=bench.server, memory=bench.memory)
    bench.server.revoke("access-1")
    assert await restarted.request() == 200
    assert bench.calls == 2


@virtual
async def test_an_asked_renewal_goes_on_while_what_came_is_nowhere_on_disk() -> None:
    """Its end would lose it: told, and tried until there is room."""
    bench = Bench()
    await bench.request()
    bench.store.spared_saves, bench.store.failing_saves = 1, 10_000
    bench.store.failing_rescues = 10_000
    asked = bench.tasks.spawn(bench.manager.renew(), "asked")
    await bench.clock.sleep(HOUR / 2)
    assert not asked.done()
    assert bench.told(SaveFailed)
    bench.store.failing_saves = 0
    assert (await asked).value == Secret("access-2")


@virtual
async def test_a_store_that_breaks_off_is_waited_for() -> None:
    """It may be back at once: the request has its token, some seconds later."""
    bench = Bench(client_grant())
    begun = bench.clock.now()
    bench.store.breaking_off = 1
    assert await bench.request() == 200
    assert bench.clock.now() - begun < 10
    assert [event.code for event in bench.told(RenewalFailed)] == ["store_broke_off"]
