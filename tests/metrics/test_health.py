"""Ready is who can serve; everybody else says why not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from everbearer.broker import Broker
from everbearer.errors import StoreError
from everbearer.metrics.health import alive, readiness, ready
from everbearer.renewal.status import ProfileStatus
from everbearer.settings.load import load
from everbearer.stores.contract import Trouble, TroubleKind
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.settings.model import Settings

CONFIG = """
default_profile = "seeded"

[profiles.seeded]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "S" }
refresh_token = { env = "S" }

[profiles.consent]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "S" }

[profiles.fixed]
provider = "box"
access_token = { env = "S" }
"""
TROUBLE = Trouble(TroubleKind.REAUTHORIZE, "the words", 1.0, 1, 0.0, "g", "the hint")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return three profiles: with a seed, without, and with a fixed token."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    return load(config, {"S": "hush"})


def status(state: str, **more: object) -> ProfileStatus:
    """Return that of a profile with a seed."""
    plain = ProfileStatus("seeded", "refresh_token", state)
    return dataclasses.replace(plain, **more)


def test_who_answers_is_alive():
    """That is all there is to it."""
    assert alive() == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "each",
    [
        status("fresh"),
        status("stale", trouble=TROUBLE),
        status("expired", trouble=TROUBLE, expires_in=5.0),
        status("none"),
        status("dead"),
        status("expired", expires_in=0.0),
        status("none", name="fixed", grant="access_token"),
        status("none", name="consent", refresh_issued_at=1.0),
    ],
)
def test_a_profile_that_can_serve_is_ready(settings: Settings, each: ProfileStatus):
    """Its token lives, or a first request gets one."""
    assert ready([each], settings.profiles) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("each", "why"),
    [
        (status("none", trouble=TROUBLE), "reauthorize"),
        (status("dead", trouble=TROUBLE), "reauthorize"),
        (status("expired", trouble=TROUBLE, expires_in=0.0), "reauthorize"),
        (status("dead", name="fixed", grant="access_token"), "dead"),
        (status("expired", name="fixed", grant="access_token"), "expired"),
        (status("none", name="consent"), "reauthorize"),
    ],
)
def test_a_profile_that_cannot_serve_is_named(
    settings: Settings, each: ProfileStatus, why: str
):
    """With a code: no words, which may name places."""
    good = status("fresh", name="good")
    assert ready([good, each], settings.profiles) == (
        503,
        {"status": "unready", "profiles": {each.name: why}},
    )


async def test_the_store_is_asked_and_may_fail(settings: Settings):
    """A store that cannot be read serves nobody."""

    class Failing(MemoryStore):
        async def load(self, key):
            raise StoreError("the canary is on fire")

    broker = Broker(settings, lambda: settings, store=MemoryStore())
    assert (await readiness(broker))[1] == {
        "status": "unready",
        "profiles": {"consent": "reauthorize"},
    }
    broken = Broker(settings, lambda: settings, store=Failing())
    told = {"status": "unready", "code": "store_error"}
    assert await readiness(broken) == (503, told)
    await broker.stop()
    await broken.stop()


async def test_who_stops_is_not_ready(tmp_path: Path):
    """With the real store, which is closed by then."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {"S": "hush"}, user_data_dir=tmp_path / "data")
    broker = Broker(settings, lambda: settings)
    assert (await readiness(broker))[1]["profiles"] == {"consent": "reauthorize"}
    await broker.stop()
    assert await readiness(broker) == (503, {"status": "unready", "code": "stopping"})
