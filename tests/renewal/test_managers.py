"""What of a configuration's token managers outlives a reload."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import ConfigError, TokenEndpointUnavailable
from everbearer.renewal.managers import Managers
from everbearer.settings.model import NetworkSettings, Settings, StoreSettings
from everbearer.stores.memory import Memory, MemoryStore
from everbearer.tasks import Tasks
from renewal.bench import client_grant, profile_of, refresh_grant
from renewal.virtual_time import FakeClock, virtual

DEV = replace(profile_of(refresh_grant()), name="dev")
APP = replace(profile_of(client_grant()), name="app")
SETTINGS = Settings(
    Path("/config.toml"), {"dev": DEV, "app": APP}, (), StoreSettings(None, None)
)


def managers(settings: Settings, before: Managers | None = None) -> Managers:
    """Return the managers of *settings*, after those *before*."""
    return Managers.of(
        settings,
        before,
        store=MemoryStore(Memory()),
        clock=FakeClock(),
        publish=lambda _: None,
        tasks=Tasks(),
    )


@virtual
async def test_unchanged_profiles_keep_their_manager() -> None:
    """Only the manager of a profile that changed is another."""
    before = managers(SETTINGS)
    other = replace(DEV, as_user="7")
    after = managers(replace(SETTINGS, profiles={"dev": other, "app": APP}), before)
    assert after["app"] is before["app"]
    assert after["dev"] is not before["dev"]


@virtual
async def test_another_network_replaces_all() -> None:
    """Token requests go elsewhere, so nothing that asks the old way is kept."""
    before = managers(SETTINGS)
    network = NetworkSettings(upstream_proxy="http://127.0.0.1:1")
    after = managers(replace(SETTINGS, network=network), before)
    assert not set(map(id, before)) & set(map(id, after))


@virtual
async def test_a_profile_that_is_gone() -> None:
    """Whoever asks for it is told so; retiring ends its manager and no other."""
    before = managers(SETTINGS)
    gone = before["dev"]
    after = managers(replace(SETTINGS, profiles={"app": APP}), before)
    with pytest.raises(ConfigError, match="dev is no longer in the configuration"):
        after["dev"]
    tasks = Tasks()
    before.retire(after, tasks)
    await tasks.drain()
    with pytest.raises(TokenEndpointUnavailable, match="everbearer is stopping"):
        await gone.renew()
