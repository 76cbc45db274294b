"""A pause is kept by all: wrong clocks and other configurations cause no storm."""

from __future__ import annotations

from contextlib import suppress

import pytest

from everbearer.errors import (
    EverbearerError,
    ReauthorizationRequired,
    TokenEndpointUnavailable,
)
from everbearer.oauth.grants.refresh_token import RefreshToken
from everbearer.renewal.backoff import LONGEST
from everbearer.secret import Secret
from renewal.bench import Bench
from renewal.model_server import SEED, unavailable
from renewal.virtual_time import HOUR, FakeClock, virtual

MANY = 10_000


async def ask_each_second(benches: list[Bench], seconds: int) -> int:
    """Let each have a client that asks every second; return the token requests."""
    before = benches[0].calls
    for _ in range(seconds):
        for bench in benches:
            bench.tasks.spawn(quietly(bench), "request")
        await benches[0].clock.sleep(1)
    return benches[0].calls - before


async def quietly(bench: Bench) -> None:
    """Ask for a token, as a client that can do without."""
    with suppress(EverbearerError):
        await bench.manager.credential()


def two_configurations() -> list[Bench]:
    """Return two processes on one store, of which one has another client secret."""
    one = Bench(RefreshToken("client", Secret("hush"), Secret(SEED)))
    other = RefreshToken("client", Secret("another hush"), Secret(SEED))
    two = Bench(other, server=one.server, memory=one.memory)
    assert one.profile.key == two.profile.key
    return [one, two]


@pytest.mark.parametrize("back", [60.0, HOUR, 86_400.0])
def test_the_wall_clock_is_set_back_in_an_outage(back) -> None:
    """It is asked no more often than before."""

    @virtual
    async def outage() -> None:
        bench = Bench()
        bench.clock.skew = back
        bench.server.faults.extend([unavailable()] * MANY)
        await ask_each_second([bench], 120)
        steady = await ask_each_second([bench], 1200)
        bench.clock.skew = 0.0
        assert 20 <= await ask_each_second([bench], 1200) <= 1.5 * steady
        assert bench.record.trouble.since <= bench.clock.wall()

    outage()


@virtual
async def test_the_wall_clock_is_set_back_while_retry_after_holds() -> None:
    """Of 20 minutes with a Retry-After of ten, each ten have one token request."""
    bench = Bench()
    bench.clock.skew = HOUR
    bench.server.faults.extend([unavailable(429, "600")] * MANY)
    await ask_each_second([bench], 5)
    bench.clock.skew = 0.0
    assert 1 <= await ask_each_second([bench], 1200) <= 2


@pytest.mark.parametrize("apart", [300.0, -300.0, 7200.0])
def test_machines_whose_clocks_differ_back_off_together(apart) -> None:
    """Neither ignores the pauses that the other wrote, nor waits for longer."""

    @virtual
    async def outage() -> None:
        one = Bench()
        two = Bench(server=one.server, memory=one.memory, clock=FakeClock())
        two.clock.skew = apart
        one.server.faults.extend([unavailable()] * MANY)
        await ask_each_second([one, two], 120)
        assert 20 <= await ask_each_second([one, two], 1200) <= 42
        one.server.faults.clear()
        await one.clock.sleep(LONGEST)
        await two.manager.credential()

    outage()


@pytest.mark.parametrize("apart", [300.0, -300.0])
def test_machines_whose_clocks_differ_keep_retry_after(apart) -> None:
    """Whichever was told to wait: ten minutes are ten for both."""

    @virtual
    async def busy() -> None:
        one = Bench()
        two = Bench(server=one.server, memory=one.memory, clock=FakeClock())
        two.clock.skew = apart
        first = unavailable(503, "60")  # both know of the outage when this is over
        one.server.faults.extend([first, *[unavailable(429, "600")] * MANY])
        await ask_each_second([one, two], 1200)
        begun, second, third = one.server.asked_at
        assert 60 <= second - begun <= 62
        assert 600 <= third - second <= 602

    busy()


@virtual
async def test_a_clock_that_was_a_year_ahead_keeps_nobody_from_asking() -> None:
    """Whoever is started for one token has it, though the pause ends in a year."""
    bench = Bench()
    bench.clock.skew = 365 * 24 * HOUR
    bench.server.faults.extend([unavailable(429, "600")])
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.credential()
    bench.clock.skew = 0.0
    await Bench(server=bench.server, memory=bench.memory).manager.credential()


@virtual
async def test_a_pause_holds_for_every_configuration_of_the_grant() -> None:
    """While a client secret is rotated, a server that is busy is so for both."""
    benches = two_configurations()
    benches[0].server.faults.extend([unavailable(429, "600")] * MANY)
    assert 1 <= await ask_each_second(benches, 1200) <= 3


@virtual
async def test_two_configurations_hear_the_last_word_once_each() -> None:
    """One's takes the other's place in the record, and neither is asked for again."""
    benches = two_configurations()
    benches[0].server.end_grant()
    assert await ask_each_second(benches, 600) == len(benches)
    with pytest.raises(ReauthorizationRequired):
        await benches[0].manager.credential()


@virtual
async def test_a_last_word_ends_with_what_another_configuration_brings() -> None:
    """The other one renews: its token serves this one too, which may ask again."""
    one, two = two_configurations()
    one.server.end_grant()
    await ask_each_second([one, two], 5)
    one.server.usable[SEED] = one.server._new_pair(None)
    await two.manager.renew()
    token = (await one.manager.credential()).value
    assert token == one.record.access_token
    one.server.revoke(token.reveal())
    assert await one.request() == 200
