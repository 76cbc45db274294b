"""A grant that nobody uses is kept alive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everbearer.events import GrantEnding
from renewal.bench import Bench, profile_of, refresh_grant
from renewal.model_server import unavailable
from renewal.virtual_time import HOUR, virtual

DAY = 24 * HOUR
LIFE = 60 * DAY
HELD_ALIVE = replace(profile_of(refresh_grant()), refresh_token_life=LIFE)


def bench(**given) -> Bench:
    """Return a process whose refresh token ends after 60 days without use."""
    return Bench(profile=HELD_ALIVE, **given)


async def used_once(one: Bench) -> None:
    """Let one request pass by, and the timer that renews for others to come."""
    await one.manager.credential()
    await one.clock.sleep(2 * HOUR)


async def look_daily(benches: list[Bench], days: int) -> list[int]:
    """Let so many days pass; return on which of them a token was requested."""
    asked = []
    for day in range(1, days + 1):
        before = benches[0].calls
        await benches[0].clock.sleep(DAY)
        for each in benches:
            await each.manager.unused.keep_alive()
        if benches[0].calls > before:
            asked.append(day)
    return asked


@virtual
async def test_unused_grant_is_renewed_in_its_last_quarter_and_not_before() -> None:
    """A grant used once lives on for a year: a token request every 45 days."""
    one = bench()
    await used_once(one)
    assert await look_daily([one], 365) == [45, 90, 135, 180, 225, 270, 315, 360]
    assert await one.request() == 200
    assert not one.told(GrantEnding)


@virtual
async def test_processes_that_look_at_once_renew_once() -> None:
    """Whoever waited for the lock finds the grant renewed and asks nothing."""
    one = bench()
    two = bench(server=one.server, memory=one.memory)
    await used_once(one)
    calls = one.calls
    assert await look_daily([one, two], 60) == [45]
    assert one.calls == calls + 1


@virtual
async def test_grant_in_use_is_left_alone() -> None:
    """A profile that requests keep alive has no other renewals than theirs."""
    one = bench()
    for _ in range(5):
        assert await one.request() == 200
        calls = one.calls
        await one.manager.unused.keep_alive()
        assert one.calls == calls
        await one.clock.sleep(15 * DAY)


@virtual
async def test_seed_that_was_never_used_is_not_redeemed_unasked() -> None:
    """Nothing is known of its age, and nothing is asked before the first request."""
    one = bench()
    await one.manager.unused.keep_alive()
    assert one.calls == 0
    assert not one.told(GrantEnding)


@virtual
async def test_grant_whose_age_a_wrong_clock_wrote_is_renewed_once() -> None:
    """The clock was a year ahead at the last renewal: its age is made known again."""
    one = bench()
    one.clock.skew = 365 * DAY
    await used_once(one)
    one.clock.skew = 0.0
    assert await look_daily([one], 120) == [1, 46, 91]


@virtual
async def test_end_that_comes_near_is_told_until_a_renewal_heals_it() -> None:
    """With the endpoint away everybody is warned from 14 days before the end on."""
    one = bench()
    await used_once(one)
    one.server.faults.extend([unavailable()] * 10_000)
    await look_daily([one], 45)
    assert not one.told(GrantEnding)
    await look_daily([one], 3)
    endings = one.told(GrantEnding)
    assert len(endings) == 3
    assert endings[0].ends_at == one.record.refresh_issued_at + LIFE
    assert endings[0].hint == "run: everbearer renew dev"
    one.server.faults.clear()
    await look_daily([one], 10)
    assert len(one.told(GrantEnding)) == 3
    assert await one.request() == 200


@virtual
async def test_grant_that_died_says_how_to_make_another() -> None:
    """After its end the hint is no longer to renew."""
    one = bench()
    await used_once(one)
    one.server.faults.extend([unavailable()] * 10_000)
    await look_daily([one], 61)
    assert one.told(GrantEnding)[-1].hint == refresh_grant().reauthorize_hint("dev", "")


@virtual
async def test_store_that_fails_is_no_reason_to_redeem() -> None:
    """What cannot be read is not renewed, and nothing is raised."""
    one = bench()
    await used_once(one)
    calls = one.calls
    await one.clock.sleep(50 * DAY)
    one.store.failing_loads = 1
    await one.manager.unused.keep_alive()
    assert one.calls == calls
    await one.manager.unused.keep_alive()
    assert one.calls == calls + 1


@virtual
async def test_lives_without_end_are_left_alone() -> None:
    """Where unused refresh tokens do not end there is nothing to do."""
    one = Bench()
    await used_once(one)
    calls = one.calls
    await one.clock.sleep(400 * DAY)
    await one.manager.unused.keep_alive()
    assert one.calls == calls


@virtual
async def test_status_tells_when_the_grant_dies() -> None:
    """The end is that of the refresh token in the store; without one it is unknown."""
    one = bench()
    assert (await one.manager.status()).refresh_ends_at is None
    await one.manager.credential()
    told = await one.manager.status()
    assert told.refresh_ends_at == pytest.approx(one.clock.wall() + LIFE, abs=1)
