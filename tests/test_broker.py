"""The one door: what is in force when everbearer stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from everbearer.broker import Broker
from everbearer.errors import ConfigError
from everbearer.events import DefaultChosen
from everbearer.settings.load import load
from everbearer.stores.memory import MemoryStore

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


BOTH = f"""
default_profile = "dev"
{CONFIG}
[profiles.prod]
provider = "box"
grant = "client_credentials"
client_id = "other"
client_secret = "hush"
subject = {{ type = "enterprise", id = "8" }}
"""


@asynccontextmanager
async def running(tmp_path: Path, text: str) -> AsyncIterator[tuple[Broker, Path]]:
    """Give a broker of *text*, and the file that it is read from."""
    config = tmp_path / "everbearer.toml"
    config.write_text(text)
    config.chmod(0o600)
    broker = Broker.from_file(config, {})
    try:
        yield broker, config
    finally:
        await broker.stop()


async def test_a_chosen_default_outlives_reloads_while_its_profile_is_there(
    tmp_path: Path,
):
    """It is told once; with its profile it goes for good, and the file's counts."""
    events: list[object] = []
    async with running(tmp_path, BOTH) as (broker, config):
        broker.subscribe(events.append)

        broker.use("prod")

        assert broker.rules.default_profile == "prod"
        chosen = [each for each in events if isinstance(each, DefaultChosen)]
        assert [each.profile for each in chosen] == ["prod"]
        assert await broker.reload()
        assert broker.rules.default_profile == "prod"
        config.write_text(f'default_profile = "dev"\n{CONFIG}')
        assert await broker.reload()
        assert broker.rules.default_profile == "dev"
        config.write_text(BOTH)
        assert await broker.reload()
        assert broker.rules.default_profile == "dev"


async def test_a_bad_file_leaves_the_chosen_default_in_force(tmp_path: Path):
    """The old configuration stays whole, what a person chose of it included."""
    async with running(tmp_path, BOTH) as (broker, config):
        broker.use("prod")
        config.write_text("nonsense")

        assert not await broker.reload()

        assert broker.rules.default_profile == "prod"


async def test_an_unknown_profile_is_not_used(tmp_path: Path):
    """The error names the one that was meant, and nothing changes or is told."""
    events: list[object] = []
    async with running(tmp_path, BOTH) as (broker, _):
        broker.subscribe(events.append)

        with pytest.raises(ConfigError, match="no profile 'pord'; write: \"prod\""):
            broker.use("pord")

        assert broker.rules.default_profile == "dev"
        assert events == []
