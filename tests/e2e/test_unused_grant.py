"""Weeks without a request, seen by a real proxy."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

from config_file import unnamed
from everbearer.settings.load import load
from everbearer.stores import open_store
from harness import Place, Proxy, Sandbox

DAY = 86400.0


def age(config: Path, days: float) -> None:
    """Make the grant in the store of *config* that much older."""
    settings = load(config, os.environ)
    key = settings.profiles["dev"].key

    async def save() -> None:
        store = open_store(settings.store)
        record = await store.load(key)
        issued = record.issued_at - days * DAY
        aged = replace(
            record,
            issued_at=issued,
            expires_at=record.expires_at - days * DAY,
            refresh_issued_at=issued,
        )
        await store.save(key, aged)
        await store.close()

    asyncio.run(save())


def test_proxy_that_nobody_asks_renews_a_grant_near_its_end(place: Place):
    """Forty days after its last use nothing happens, after fifty one token request."""
    sandbox = Sandbox(place)
    config = sandbox.state / "refresh_token.toml"
    assert place.everbearer("renew", "-c", str(config)).returncode == 0

    age(config, 40)
    proxy = Proxy(place, config)
    assert proxy.process.stop() == 0
    assert len(sandbox.token_requests()) == 1

    age(config, 10)
    warned = place.everbearer("status", "-c", str(config))
    assert "ends on" in warned.stderr
    assert "run: everbearer renew dev" in unnamed(warned.stderr)
    proxy = Proxy(place, config)
    proxy.process.wait_for(r" dev: renewed \(unused\)")
    assert len(sandbox.token_requests()) == 2

    after = place.everbearer("status", "-c", str(config))
    assert "ends on" not in after.stderr
    ends = time.time() + 60 * DAY
    # Some seconds have passed since, perhaps over midnight.
    days = [time.strftime("%Y-%m-%d", time.localtime(ends - s)) for s in (0, 600)]
    assert any(f"until {day}" in after.stdout for day in days), after.stdout
