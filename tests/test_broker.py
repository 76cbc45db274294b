"""The one door: what is in force when everbearer stops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from everbearer.broker import Broker
from everbearer.settings.load import load
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[profiles.dev]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "hush"
subject = { type = "enterprise", id = "7" }
"""


async def test_a_reload_that_ends_after_stop_began_changes_nothing(tmp_path: Path):
    """Nobody would stop what it builds: the old configuration stays in force."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    old = load(config, {})
    profiles = {"dev": replace(old.profiles["dev"], as_user="7")}
    new = replace(old, profiles=profiles)
    begun, goes_on = Event(), Event()

    def read():
        begun.set()
        assert goes_on.wait(10)
        return new

    broker = Broker(old, read, store=MemoryStore())
    reloading = asyncio.ensure_future(broker.reload())
    assert await asyncio.to_thread(begun.wait, 10)
    await broker.stop()
    goes_on.set()
    assert await reloading is False
    assert broker.settings is old
