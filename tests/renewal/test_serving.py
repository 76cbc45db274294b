"""FRESH, STALE and EXPIRED tokens, as requests meet them."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import TokenEndpointUnavailable
from everbearer.events import RenewalFailed, Renewed
from everbearer.secret import Secret
from everbearer.stores.contract import Record
from renewal.bench import Bench, client_grant, profile_of, refresh_grant
from renewal.model_server import unavailable
from renewal.virtual_time import HOUR, virtual


@virtual
async def test_the_first_request_waits_for_one_token_request() -> None:
    """Nothing is in memory or in the store: one token request, then the token."""
    bench = Bench()
    assert bench.manager.ready(bench.clock.now()) is None
    token = await bench.manager.credential()
    assert token.value == Secret("access-1")
    assert bench.calls == 1
    assert bench.manager.ready(bench.clock.now()) is token


@virtual
async def test_a_token_ages_from_the_sending_of_its_request() -> None:
    """The answer's way is not life: the end counts from the sending."""
    bench = Bench()
    bench.server.latency = 8.0
    sent = bench.clock.now()
    token = await bench.manager.credential()
    assert token.expires_at == sent + HOUR


@virtual
async def test_what_is_in_the_store_is_served_without_a_token_request() -> None:
    """A restarted process goes on with the stored token."""
    first = Bench()
    await first.request()
    second = Bench(server=first.server, memory=first.memory)
    assert await second.request() == 200
    assert second.calls == 1
    assert second.told(Renewed) == []


@virtual
async def test_requests_never_wait_nor_meet_stale_while_the_timer_works() -> None:
    """Steady requests over a day: one wait, one token request an hour, no 401."""
    bench = Bench(client_grant())
    await bench.request()
    stale = waits = refused = 0
    for _ in range(24 * 360):
        await bench.clock.sleep(10)
        token = bench.manager.ready(bench.clock.now())
        if token is None:
            waits += 1
            continue
        stale += bench.clock.now() >= token.expires_at - 300
        refused += bench.server.use(token.value.reveal()) != 200
    assert (waits, stale, refused) == (0, 0, 0)
    assert 24 <= bench.calls <= 28
    assert {event.cause for event in bench.told(Renewed)} == {"first", "timer"}


@virtual
async def test_three_second_tokens_serve_twenty_seconds_of_requests() -> None:
    """Short lives scale all windows: no request waits after the first."""
    bench = Bench(client_grant())
    bench.server.life, bench.server.latency = 3.0, 0.05
    await bench.request()
    answers = []
    for _ in range(400):
        await bench.clock.sleep(0.05)
        token = bench.manager.ready(bench.clock.now())
        answers.append(token and bench.server.use(token.value.reveal()))
    assert answers == [200] * 400


@virtual
async def test_a_stale_token_is_served_while_it_is_renewed() -> None:
    """An idle profile wakes in the STALE window: served at once, renewed behind."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.manager._used = -HOUR  # nobody has asked for long: the timer lets it be
    await bench.clock.sleep(HOUR - 100)
    assert bench.calls == 1
    assert bench.manager.ready(bench.clock.now()) is old
    assert bench.manager.ready(bench.clock.now()) is old
    await bench.clock.sleep(1)
    assert bench.calls == 2
    new = bench.manager.ready(bench.clock.now())
    assert new is not None
    assert new.value == Secret("access-2")


@virtual
async def test_an_idle_profile_is_left_alone() -> None:
    """A token nobody used in its life is not renewed by the timer."""
    bench = Bench(client_grant())
    await bench.request()
    await bench.clock.sleep(10 * HOUR)
    # Used within the first token's life, so that one is renewed; not the next.
    assert bench.calls == 2
    assert await bench.request() == 200


@virtual
async def test_an_expired_token_is_waited_for() -> None:
    """In the last seconds requests wait for the renewal and get the new token."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.manager._used = -HOUR
    await bench.clock.sleep(HOUR - 5)
    assert bench.manager.ready(bench.clock.now()) is None
    new = await bench.manager.credential()
    assert new.fingerprint != old.fingerprint


@virtual
async def test_a_failed_background_renewal_is_healed_by_the_next() -> None:
    """One failure in the background: a warning, no request notices, then a token."""
    bench = Bench(client_grant())
    bench.server.life, bench.server.latency = 3.0, 0.05
    await bench.request()
    bench.server.faults.append(unavailable())
    statuses = set()
    for _ in range(400):
        await bench.clock.sleep(0.05)
        statuses.add(await bench.request())
    assert statuses == {200}
    assert len(bench.told(RenewalFailed)) == 1


@virtual
async def test_an_expired_token_is_served_until_its_true_end() -> None:
    """No new token can be had: the old one serves to its last second, then not."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.server.faults.extend([unavailable(retry_after="3000")] * 50)
    await bench.clock.sleep(HOUR - 5)
    assert (await bench.manager.credential()).fingerprint == old.fingerprint
    await bench.clock.sleep(6)
    with pytest.raises(TokenEndpointUnavailable) as failure:
        await bench.manager.credential()
    assert failure.value.retry_after is not None
    assert 0 < failure.value.retry_after <= 3000


@virtual
async def test_an_expired_token_is_served_while_attempts_go_on() -> None:
    """The first failure tells that waiting is in vain; the old token is alive."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.manager._used = -HOUR
    await bench.clock.sleep(HOUR - 5)
    bench.server.faults.extend([unavailable()] * 3)
    begun = bench.clock.now()
    assert (await bench.manager.credential()).fingerprint == old.fingerprint
    assert bench.clock.now() - begun < 0.5  # one attempt, no backoff
    await bench.clock.sleep(30)
    assert bench.manager.ready(bench.clock.now()) is not None


@virtual
async def test_a_nearly_ended_token_in_the_store_is_better_than_none() -> None:
    """Restarted in the last seconds, with the endpoint down: it is served."""
    bench = Bench()
    old = await bench.manager.credential()
    await bench.stop()
    await bench.clock.sleep(HOUR - 5)
    bench.server.faults.extend([unavailable()] * 50)
    restarted = Bench(server=bench.server, memory=bench.memory)
    assert (await restarted.manager.credential()).fingerprint == old.fingerprint


@virtual
async def test_a_nearly_ended_token_in_the_store_is_renewed() -> None:
    """Restarted in the last seconds, with the endpoint up: the new one is served."""
    bench = Bench()
    await bench.request()
    await bench.stop()
    await bench.clock.sleep(HOUR - 5)
    restarted = Bench(server=bench.server, memory=bench.memory)
    assert (await restarted.manager.credential()).value == Secret("access-2")


@virtual
async def test_a_slow_watcher_does_not_bring_the_old_token_back() -> None:
    """What it loaded is older than the renewal that ended meanwhile."""
    bench = Bench(client_grant())
    await bench.request()
    await bench.clock.sleep(1)
    await bench.store.save(bench.profile.key, bench.record)
    bench.store.slow_watch = 2.0
    await bench.clock.sleep(0.6)
    token = await bench.manager.renew()
    for _ in range(10):
        await bench.clock.sleep(0.5)
        assert bench.manager.ready(bench.clock.now()) is token


@virtual
async def test_wall_clock_jumps_do_not_age_a_token() -> None:
    """An hour forward, a day back: what is in memory stays FRESH."""
    bench = Bench()
    token = await bench.manager.credential()
    for skew in (HOUR, -24 * HOUR):
        bench.clock.skew = skew
        assert bench.manager.ready(bench.clock.now()) is token
        await bench.clock.sleep(5)
    assert bench.calls == 1


@virtual
async def test_a_stored_token_never_lives_longer_than_it_was_issued_for() -> None:
    """The wall clock went back a day since the save: at most the whole life is left."""
    bench = Bench()
    await bench.manager.credential()
    bench.clock.skew = -24 * HOUR
    restarted = Bench(server=bench.server, memory=bench.memory)
    token = await restarted.manager.credential()
    assert token.expires_at <= bench.clock.now() + HOUR


@virtual
async def test_cooling_down_is_no_longer_when_the_clock_went_back() -> None:
    """`not_before` is a day ahead only because the clock was: the ten minutes count."""
    bench = Bench()
    bench.clock.skew = 24 * HOUR
    bench.server.faults.append(unavailable(retry_after="600"))
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.credential()
    bench.clock.skew = 0.0
    with pytest.raises(TokenEndpointUnavailable):
        await bench.request()
    await bench.clock.sleep(600)
    assert await bench.request() == 200


@virtual
async def test_a_login_in_another_process_is_picked_up() -> None:
    """Without a seed the grant is dead until somebody saves a refresh token."""
    bench = Bench(refresh_grant(seed=None))
    with pytest.raises(Exception, match="nobody has logged in"):
        await bench.manager.credential()
    login = Record(bench.record.version, refresh_token=Secret("refresh-0"))
    await bench.store.save(bench.profile.key, login)
    assert await bench.request() == 200


@virtual
async def test_renew_asks_although_the_token_is_fresh_and_trouble_remembered() -> None:
    """The command forces a token request; its success clears the trouble."""
    bench = Bench(client_grant())
    await bench.request()
    bench.server.faults.append(unavailable(retry_after="3000"))
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.renew()
    assert bench.record.trouble is not None
    token = await bench.manager.renew()
    assert bench.calls == 3
    assert bench.manager.ready(bench.clock.now()) is token
    assert bench.record.trouble is None


@virtual
async def test_renew_waits_for_a_renewal_under_way() -> None:
    """One at a time: the command sends its own request after the other's end."""
    bench = Bench(client_grant())
    first = bench.tasks.spawn(bench.manager.credential(), "first")
    await bench.clock.sleep(0.05)
    token = await bench.manager.renew()
    assert (await first).value == Secret("access-1")
    assert token.value == Secret("access-2")
    assert bench.server.asked_at[1] - bench.server.asked_at[0] >= 0.2


@virtual
async def test_a_watcher_that_cannot_read_looks_again() -> None:
    """The store is away for a while: what was saved meanwhile is found later."""
    first = Bench(client_grant())
    second = Bench(client_grant(), server=first.server, memory=first.memory)
    await first.request()
    await second.request()
    await second.clock.sleep(1)
    second.store.failing_loads = 2
    token = await first.manager.renew()
    await second.clock.sleep(2)
    assert second.store.failing_loads == 0
    assert second.manager.ready(second.clock.now()).fingerprint == token.fingerprint


@virtual
async def test_two_profiles_of_one_grant_make_one_redeem() -> None:
    """Processes that start together: the lock lets one redeem, both serve it."""
    first = Bench()
    second = Bench(server=first.server, memory=first.memory)
    tokens = await asyncio.gather(
        first.manager.credential(), second.manager.credential()
    )
    assert {token.value for token in tokens} == {Secret("access-1")}
    assert first.calls == 1
    assert profile_of(refresh_grant()).key == first.profile.key


@virtual
async def test_what_another_process_saved_is_served_within_a_second() -> None:
    """The store is watched while the profile is in use."""
    first = Bench(client_grant())
    second = Bench(client_grant(), server=first.server, memory=first.memory)
    await first.request()
    await second.request()
    token = await first.manager.renew()
    await second.clock.sleep(1)
    assert second.manager.ready(second.clock.now()).fingerprint == token.fingerprint
