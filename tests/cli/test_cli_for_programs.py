"""Programs get figures and health, or are told what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from everbearer.broker import Broker
from everbearer.cli.for_programs import for_programs
from everbearer.errors import StoreError
from everbearer.metrics.page import metrics_of
from everbearer.settings.load import load
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[profiles.dev]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "S" }
"""


class Failing(MemoryStore):
    """A store that cannot be read."""

    async def load(self, key):
        raise StoreError("the disk is gone")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write a profile that nobody has logged in for."""
    path = tmp_path / "everbearer.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


async def test_without_the_library_it_is_told_what_to_install(config: Path):
    """501: not a page that looks as if nothing happened."""
    settings = load(config, {"S": "hush"})
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    answer = await for_programs(broker, None)["/metrics"]()
    assert answer.status == 501
    assert b"pip install 'everbearer[metrics]'" in answer.body
    await broker.stop()


@pytest.mark.parametrize("store", [MemoryStore, Failing])
async def test_figures_are_there_whatever_the_store_does(config: Path, store: type):
    """A store that fails is the very time to look at them."""
    settings = load(config, {"S": "hush"})
    broker = Broker(settings, lambda: settings, store=store())
    pages = for_programs(broker, metrics_of(broker))
    answer = await pages["/metrics"]()
    assert (answer.status, answer.kind[:10]) == (200, "text/plain")
    assert b"everbearer_build_info" in answer.body
    assert (b"everbearer_profile_trouble{" in answer.body) == (store is MemoryStore)
    await broker.stop()


async def test_health_is_json(config: Path):
    """Alive although it is not ready."""
    settings = load(config, {"S": "hush"})
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    pages = for_programs(broker, None)
    assert (await pages["/healthz"]()).status == 200
    answer = await pages["/readyz"]()
    assert answer.status == 503
    assert json.loads(answer.body)["profiles"] == {"dev": "reauthorize"}
    await broker.stop()
