"""Clocks that are wrong, machines that sleep, servers that provoke: all is bounded."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from everbearer.errors import GrantError
from everbearer.renewal.backoff import LONGEST
from renewal.bench import Bench, client_grant
from renewal.model_server import ABSENT, ModelServer, unavailable
from renewal.virtual_time import HOUR, FakeClock, virtual

SERVERS = pytest.mark.parametrize("strict", [False, True], ids=["Box", "strict"])


def bench(strict: bool, **options) -> Bench:
    """Return a process against a server of that kind."""
    return Bench(server=ModelServer(FakeClock(), strict=strict, **options))


def another(one: Bench) -> Bench:
    """Return another process on the same store."""
    return Bench(server=one.server, memory=one.memory)


def watch(one: Bench) -> Counter[str]:
    """Count how often each token is refused."""
    refused: Counter[str] = Counter()
    use = one.server.use

    def watched(token: str) -> int:
        status = use(token)
        refused[token] += status == 401
        return status

    one.server.use = watched
    return refused


def asleep(seconds: float) -> None:
    """Close the lid: time passes, and no timer is heard before it is over."""
    asyncio.get_running_loop().passed += seconds


@SERVERS
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_wall_clock_that_jumps_every_minute(strict, jump) -> None:
    """To and fro for a day: a token request an hour, and no 401."""

    @virtual
    async def day() -> None:
        one = bench(strict)
        refused = watch(one)
        for minute in range(24 * 60):
            one.clock.skew = jump if minute % 2 else 0.0
            assert await one.request() == 200
            await one.clock.sleep(60)
        assert one.calls <= 27
        assert not +refused

    day()


@SERVERS
@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_processes_with_a_wall_clock_an_hour_wrong(strict, skew) -> None:
    """Started one after another with different clocks: no token is refused twice."""

    @virtual
    async def starts() -> None:
        one = bench(strict)
        refused = watch(one)
        for number in range(20):
            one.clock.skew = skew if number % 2 else 0.0
            process = another(one)
            assert await process.request() == 200
            await process.clock.sleep(10 * 60)
            assert await process.request() == 200
            await process.stop()
        # Where the clock is ahead the stored token looks ended: at most one
        # token request each time; where it is behind, at most one 401.
        assert one.calls <= 20
        assert max(refused.values()) <= 1

    starts()


@SERVERS
@pytest.mark.parametrize("hours", [1, 2, 24])
def test_a_machine_that_slept_across_the_expiry(strict, hours) -> None:
    """The token that ended meanwhile is not sent; one renewal for all who ask."""

    @virtual
    async def wake() -> None:
        one = bench(strict)
        two = another(one)
        refused = watch(one)
        assert await one.request() == await two.request() == 200
        for nap in range(5):
            asleep(hours * HOUR)
            asked = [one.request() for _ in range(20)]
            asked += [two.request() for _ in range(20)]
            assert set(await asyncio.gather(*asked)) == {200}
            assert one.calls == nap + 2
            await one.clock.sleep(5)
        assert not +refused

    wake()


@SERVERS
def test_a_machine_that_sleeps_during_a_token_request(strict) -> None:
    """The answer comes after the new token's end: another one is asked for."""

    @virtual
    async def sleeping() -> None:
        one = bench(strict)
        waiting = asyncio.ensure_future(one.request())
        await one.clock.sleep(0.15)
        asleep(2 * HOUR)
        try:
            await waiting
        except GrantError:
            await one.clock.sleep(60)
            assert await one.request() == 200
        assert one.calls <= 3

    sleeping()


@virtual
async def test_an_outage_of_an_hour_met_by_bursts_of_500_requests() -> None:
    """One token request for each step of backoff over three processes; 130 at most."""
    one = bench(strict=False, latency=0.01)
    benches = [one, another(one), another(one)]
    assert await one.request() == 200
    one.server.revoke("access-1")
    one.server.faults.extend([unavailable()] * 5000)
    begun, calls = one.clock.now(), one.calls

    failed = 0

    async def client(process: Bench) -> None:
        nonlocal failed
        try:
            await process.request()
        except GrantError:
            failed += 1

    async with asyncio.TaskGroup() as clients:
        while one.clock.now() < begun + HOUR:
            for number in range(500):
                clients.create_task(client(benches[number % 3]))
            await one.clock.sleep(30)
    assert failed == 120 * 500
    steps = one.calls - calls
    assert 60 <= steps <= 130
    one.server.faults.clear()
    await one.clock.sleep(60)
    for process in benches:
        assert await process.request() == 200
    assert one.calls == calls + steps + 1


@pytest.mark.parametrize("back", [30.0, 600.0, 3590.0])
def test_a_wall_clock_set_back_in_a_long_outage(back) -> None:
    """The circuit breaker's minute stays one: a server that is well again is asked."""

    @virtual
    async def outage() -> None:
        one = bench(strict=False)
        one.server.faults.extend([unavailable()] * 5000)
        begun = one.clock.now()
        while one.clock.now() < begun + HOUR:
            with pytest.raises(GrantError):
                await one.request()
            await one.clock.sleep(1)
        one.server.faults.clear()
        one.clock.skew = -back
        await one.clock.sleep(LONGEST)
        assert await one.request() == 200

    outage()


@pytest.mark.parametrize("behind", [0.0, 1.0, 300.0])
def test_retry_after_holds_for_a_machine_whose_clock_is_behind(behind) -> None:
    """By minutes even: it asks when the time is over, and neither before nor later."""

    @virtual
    async def machines() -> None:
        one = bench(strict=False)
        one.server.faults.append(unavailable(429, "600"))
        with pytest.raises(GrantError):
            await one.request()
        one.clock.skew = -behind
        two = another(one)
        with pytest.raises(GrantError):
            await two.request()
        assert one.calls == 1
        await one.clock.sleep(600)
        assert await two.request() == 200

    machines()


@SERVERS
def test_a_server_that_gives_the_same_token_until_shortly_before_its_end(strict):
    """It caches: asked with backoff in the last minutes, and served all the time."""

    @virtual
    async def caching() -> None:
        one = bench(strict)
        refused = watch(one)
        end = 0.0
        for _ in range(3 * 360):
            one.server.same_token = one.clock.now() < end - 30
            assert await one.request() == 200
            newest = one.server.issued[-1]
            end = one.server.alive[newest].end
            await one.clock.sleep(10)
        assert one.calls <= 3 * 15
        assert not +refused

    caching()


@SERVERS
def test_a_server_that_does_not_say_when_tokens_end(strict) -> None:
    """The default counts: a token request an hour, each token to its end."""

    @virtual
    async def silent() -> None:
        one = bench(strict, expires_in=ABSENT)
        for _ in range(24 * 12):
            assert await one.request() == 200
            await one.clock.sleep(300)
        assert one.calls <= 27

    silent()


@pytest.mark.parametrize("life", [1.0, 5.0, 30.0])
def test_tokens_that_live_for_seconds(life) -> None:
    """One token request a life, neither more nor a 401."""

    @virtual
    async def short() -> None:
        server = ModelServer(FakeClock(), life=life, latency=0.01, rotates=False)
        one = Bench(client_grant(), server=server)
        refused = watch(one)
        begun = one.clock.now()
        while one.clock.now() < begun + 60 * life:
            assert await one.request() == 200
            await one.clock.sleep(life / 50)
        assert one.calls <= 60 * 1.6
        assert not +refused

    short()
