"""What a person has done from the page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from samples import HeldStore, settings

from everbearer.broker import Broker
from everbearer.dashboard.actions import Actions
from everbearer.tasks import Tasks


@pytest.mark.parametrize(
    ("action", "told"),
    [("renew", "the renewal of app"), ("revoke", "the revocation of app")],
)
async def test_who_stops_is_told_what_of_it_is_waited_for(
    tmp_path: Path, action: str, told: str
):
    """By its name as long as it has not ended, whoever closed the page."""
    config, store = settings(tmp_path), HeldStore()
    broker = Broker(config, lambda: config, store=store)
    actions = Actions(broker)
    with store.held():
        asked = Tasks().spawn(actions.do("app", action), name="the page")
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})
        assert broker.awaited == (
            f"stopping as soon as this has ended: {told};"
            " another signal ends at once, and may lose it"
        )
        stopping = Tasks().spawn(broker.stop(), name="stop")
        await asyncio.sleep(0)
        assert not stopping.done()
    async with asyncio.timeout(10):
        await stopping
    assert broker.awaited == ""
