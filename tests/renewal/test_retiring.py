"""A reload replaces a manager that has redeemed and cannot save: nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import StoreError, TokenEndpointUnavailable
from everbearer.renewal.endpoint import TokenEndpoint
from everbearer.renewal.managers import Managers
from everbearer.secret import Secret
from everbearer.settings.model import NetworkSettings
from renewal.bench import Bench
from renewal.virtual_time import HOUR, virtual


class Reload:
    """Both disks are full after a redeem; then a reload makes another manager."""

    def __init__(self) -> None:
        self.old = Bench()
        self.new = Bench(server=self.old.server, memory=self.old.memory)
        self.before = self._managers(self.old, set())
        self.after = self._managers(self.new, self.before.retired)

    def _managers(self, bench: Bench, retired: set) -> Managers:
        network = NetworkSettings()
        endpoint = TokenEndpoint(network, bench.clock)
        return Managers(network, endpoint, {"dev": bench.manager}, retired)

    async def happen(self) -> None:
        """Redeem, fail to save, and reload a second later."""
        store = self.old.store
        store.spared_saves, store.failing_saves = 1, 10_000
        store.failing_rescues = 10_000
        self.asked = asyncio.ensure_future(self.old.manager.credential())
        self.asked.add_done_callback(lambda asked: asked.exception())
        await self.old.clock.sleep(1)
        self.before.retire(self.after, self.old.tasks)

    def mend(self) -> None:
        """Free both disks."""
        self.old.store.failing_saves = self.old.store.failing_rescues = 0


@virtual
async def test_what_was_redeemed_is_saved_however_long_it_takes() -> None:
    """The disks are full for half an hour, and the refresh token is in the store."""
    reload = Reload()
    await reload.happen()
    with pytest.raises(StoreError, match="the disk is full"):
        await reload.asked
    await reload.old.clock.sleep(HOUR / 2)
    assert reload.old.record.refresh_token is None
    assert reload.after.retired == {reload.old.manager}

    reload.mend()
    await reload.old.tasks.drain()

    assert reload.old.record.refresh_token == Secret("refresh-1")
    assert reload.after.retired == set()
    assert await reload.new.request() == 200
    assert reload.old.calls == 1


@virtual
async def test_a_new_manager_redeems_nothing_before_that_is_saved() -> None:
    """It waits for the lock, in vain and then with success: no second redeem."""
    reload = Reload()
    await reload.happen()
    with pytest.raises(TokenEndpointUnavailable, match="within 30 s"):
        await reload.new.manager.credential()
    await reload.new.clock.sleep(100)
    assert reload.old.calls == 1
    waiting = asyncio.ensure_future(reload.new.manager.credential())
    await reload.new.clock.sleep(20)

    reload.mend()

    assert (await waiting).value == Secret("access-1")
    assert reload.old.calls == 1


@virtual
async def test_stopping_reaches_what_was_replaced() -> None:
    """People are told what is waited for; after 30 s it ends, and nothing is left."""
    reload = Reload()
    await reload.happen()
    await reload.old.clock.sleep(100)
    assert "the new token of dev" in reload.after.awaited(frozenset(), ())
    begun = reload.old.clock.now()

    await reload.after.stop()
    await reload.old.tasks.drain()

    assert reload.old.clock.now() - begun <= 31
    assert reload.after.retired == set()
    assert reload.after.awaited(frozenset(), ()) == ""


@virtual
async def test_stopping_saves_what_was_replaced() -> None:
    """The disks are free again while everbearer stops: the pair is in the store."""
    reload = Reload()
    await reload.happen()
    await reload.old.clock.sleep(100)
    stopping = asyncio.ensure_future(reload.after.stop())
    await reload.old.clock.sleep(10)
    reload.mend()
    await stopping
    assert reload.old.record.refresh_token == Secret("refresh-1")


@virtual
async def test_a_stop_right_after_a_reload_reaches_what_was_replaced() -> None:
    """The retirement has not begun to run: it is among those that stop already."""
    reload = Reload()
    await reload.happen()
    await asyncio.wait_for(reload.after.stop(), 31)
    await reload.old.tasks.drain()
    assert reload.after.retired == set()


@virtual
async def test_an_emergency_copy_is_enough_to_retire() -> None:
    """The pair is on disk: the new manager takes the copy in, and redeems nothing."""
    reload = Reload()
    await reload.happen()
    reload.old.store.failing_rescues = 0
    await reload.old.tasks.drain()
    assert reload.after.retired == set()
    reload.mend()
    assert await reload.new.request() == 200
    await reload.new.clock.sleep(1)
    assert reload.new.record.refresh_token == Secret("refresh-1")
    assert reload.old.calls == 1
