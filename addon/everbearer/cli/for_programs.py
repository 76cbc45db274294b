"""What the dashboard's port tells programs, which have no session: figures, health."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everbearer.dashboard.answers import Answer, as_json
from everbearer.errors import EverbearerError
from everbearer.metrics.health import alive, readiness
from everbearer.metrics.page import MISSING

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.dashboard.web import Plain
    from everbearer.metrics.page import Metrics
    from everbearer.renewal.status import ProfileStatus


def for_programs(broker: Broker, metrics: Metrics | None) -> Plain:
    """Return the pages by their paths; without *metrics* one says what is missing."""

    async def figures() -> Answer:
        if metrics is None:
            return Answer(501, "text/plain; charset=utf-8", f"{MISSING}\n".encode())
        # In a thread the first time: requests do not wait for a library.
        await asyncio.to_thread(metrics.load)
        return Answer(200, metrics.content_type, metrics.text(await _statuses(broker)))

    async def healthz() -> Answer:
        status, told = alive()
        return as_json(told, status)

    async def readyz() -> Answer:
        status, told = await readiness(broker)
        return as_json(told, status)

    return {"/metrics": figures, "/healthz": healthz, "/readyz": readyz}


async def _statuses(broker: Broker) -> tuple[ProfileStatus, ...]:
    """Return them; none where the store fails, which is no reason to tell nothing."""
    try:
        return await broker.status()
    except (EverbearerError, RuntimeError):  # or is closed, since everbearer stops
        return ()
