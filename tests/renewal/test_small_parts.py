"""Backoff, tasks, clocks, status."""

from __future__ import annotations

import asyncio
import logging
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.errors import TokenEndpointUnavailable
from everbearer.oauth.tokens import AccessToken
from everbearer.renewal.backoff import LONGEST, delay
from everbearer.renewal.clock import SystemClock
from everbearer.renewal.held import Held
from everbearer.secret import Secret
from everbearer.tasks import Tasks
from renewal.bench import Bench, client_grant
from renewal.model_server import unavailable
from renewal.virtual_time import EPOCH, virtual


class Lowest(Random):
    """Dice that always show the least."""

    def random(self) -> float:
        """Return the least."""
        return 0.0


@given(attempts=st.integers(1, 10_000), seed=st.integers())
def test_a_delay_is_at_most_a_minute(attempts, seed) -> None:
    """Full jitter below the longest ceiling, half of it certain from there on."""
    wait = delay(attempts, None, Random(seed))
    assert 0 <= wait <= LONGEST
    if attempts >= 8:
        assert wait >= LONGEST / 2


def test_the_least_delays_make_at_most_130_attempts_an_hour() -> None:
    """The bound does not hang on the dice."""
    passed, attempts = 0.0, 0
    while passed < 3600:
        attempts += 1
        passed += delay(attempts, None, Lowest())
    assert attempts <= 130


def test_the_server_may_ask_for_more_patience_but_not_for_less() -> None:
    """Retry-After is a lower bound."""
    assert delay(1, 600.0, Random(1)) == 600.0
    assert delay(9, 1.0, Random(1)) >= LONGEST / 2


@virtual
async def test_an_exception_of_a_task_is_logged(caplog) -> None:
    """A mistake in background work is seen, with its name; cancellation is none."""
    caplog.set_level(logging.ERROR)
    tasks = Tasks()

    async def broken() -> None:
        await asyncio.sleep(1)
        raise ZeroDivisionError

    tasks.spawn(broken(), "broken work")
    tasks.spawn(asyncio.sleep(3600), "cancelled work").cancel()
    await tasks.drain()
    assert [record.getMessage().split("\n")[0] for record in caplog.records] == [
        "broken work failed unexpectedly: ZeroDivisionError"
    ]


@virtual
async def test_drain_waits_for_tasks_that_tasks_spawn() -> None:
    """Nothing is left when it returns."""
    tasks, done = Tasks(), []

    async def child() -> None:
        await asyncio.sleep(5)
        done.append("child")

    async def parent() -> None:
        await asyncio.sleep(1)
        tasks.spawn(child(), "child")

    tasks.spawn(parent(), "parent")
    await tasks.drain()
    assert done == ["child"]


async def test_the_system_clock_runs_and_sleeps() -> None:
    """Both clocks advance, and a sleep ends when `now` says so."""
    clock = SystemClock()
    begun = clock.now()
    await clock.sleep(0.001)
    assert clock.now() - begun >= 0.001
    assert abs(clock.wall() - time.time()) < 60


def test_a_dead_token_is_not_adopted() -> None:
    """Wherever it comes from."""
    held = Held()
    held.bury(Secret("dead").fingerprint())
    assert not held.adopt(AccessToken(Secret("dead"), 0.0, 3600.0), 1.0)
    assert held.serving(1.0) is None
    assert held.adopt(AccessToken(Secret("alive"), 0.0, 3600.0), 1.0)
    assert not held.adopt(AccessToken(Secret("alive"), 500.0, 4100.0), 501.0)
    assert held.token.issued_at == 0.0


@virtual
async def test_status_needs_no_request() -> None:
    """Before anything, after a token, in a new process, in trouble."""
    bench = Bench()
    assert (await bench.manager.status()).state == "none"
    token = await bench.manager.credential()
    other = Bench(server=bench.server, memory=bench.memory)
    for manager in (bench.manager, other.manager):
        status = await manager.status()
        assert (status.name, status.grant) == ("dev", "refresh_token")
        assert (status.state, status.token) == ("fresh", token.fingerprint)
        assert status.expires_in == pytest.approx(3600 - 0.2)
        assert status.renewed_at == status.refresh_issued_at == EPOCH + 1000.0
        assert status.trouble is None
    assert bench.calls == 1
    bench.server.faults.append(unavailable(retry_after="100"))
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.recover(token.fingerprint)
    status = await bench.manager.status()
    assert status.state == "none"
    assert status.trouble is not None
    assert status.trouble.attempts == 1


@virtual
async def test_status_tells_the_freshness() -> None:
    """Fresh, stale, expired by the token's age."""
    bench = Bench(client_grant())
    token = await bench.manager.credential()
    bench.manager._used = -3600.0
    states = []
    for until in (3000, 3400, 3595, 3700):
        await bench.clock.sleep(token.issued_at + until - bench.clock.now())
        states.append((await bench.manager.status()).state)
    assert states == ["fresh", "stale", "expired", "expired"]
