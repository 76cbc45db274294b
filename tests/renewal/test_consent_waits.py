"""A login and a logout hold the grant first: told to wait, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import StoreError
from everbearer.secret import Secret
from renewal.test_consent import CODE, LOGIN, OLD, Desk
from renewal.virtual_time import HOUR, virtual


@virtual
async def test_a_code_is_not_spent_while_another_process_holds_the_grant() -> None:
    """The person is told what is waited for, and after 10 s that it was in vain."""
    desk = Desk(record=OLD)
    await desk.begin()
    begun = desk.bench.clock.now()
    async with desk.bench.store.exclusive(desk.profile.key):
        asked = asyncio.ensure_future(desk.consent.log_in(LOGIN, CODE, desk.waits))
        await desk.bench.clock.sleep(2)
        assert desk.told_to_wait == 1
        with pytest.raises(StoreError, match="for 10 s") as failure:
            await asked
    assert failure.value.hint.endswith("run: everbearer login dev")
    assert desk.bench.clock.now() - begun < 11
    assert desk.server.asked == []


@virtual
async def test_a_login_goes_on_once_the_grant_is_free() -> None:
    """Within a code's life: it is exchanged then, and what comes is saved."""
    desk = Desk(record=OLD)
    await desk.begin()
    async with desk.bench.store.exclusive(desk.profile.key):
        asked = asyncio.ensure_future(desk.consent.log_in(LOGIN, CODE, desk.waits))
        await desk.bench.clock.sleep(5)
        assert desk.server.asked == []
    await asked
    assert desk.bench.record.refresh_token == Secret("rt")


@virtual
async def test_a_logout_ends_where_the_grant_is_never_free() -> None:
    """After 30 s, with nothing revoked and nothing deleted."""
    desk = Desk(record=OLD)
    await desk.begin()
    await desk.bench.memory.locks[desk.profile.key].acquire()
    asked = asyncio.ensure_future(desk.consent.log_out(desk.waits, ask=True))
    await desk.bench.clock.sleep(HOUR)
    assert desk.told_to_wait == 1
    with pytest.raises(StoreError, match="for 30 s"):
        await asked
    assert desk.server.asked == []
    assert desk.bench.record.refresh_token == Secret("old-rt")


@virtual
async def test_nobody_is_told_to_wait_for_a_free_grant() -> None:
    """However long the server takes to answer."""
    desk = Desk(record=OLD)
    await desk.begin()
    await desk.consent.log_in(LOGIN, CODE, desk.waits)
    await desk.consent.log_out(desk.waits, ask=True)
    await desk.bench.clock.sleep(5)
    assert desk.told_to_wait == 0


@virtual
async def test_a_store_that_cannot_be_read_costs_no_code() -> None:
    """It is read before the code is exchanged: the person can begin again."""
    desk = Desk(record=OLD)
    await desk.begin()
    desk.bench.store.failing_loads = 1
    with pytest.raises(StoreError):
        await desk.consent.log_in(LOGIN, CODE, desk.waits)
    assert desk.server.asked == []
