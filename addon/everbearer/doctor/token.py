"""Whether every profile has a token."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from everbearer.broker import Broker
from everbearer.doctor.api import accepted
from everbearer.doctor.aside import aside
from everbearer.doctor.result import failed, ok, skip, warn
from everbearer.errors import EverbearerError, StoreError
from everbearer.renewal.endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.renewal.status import ProfileStatus

_MINUTE = 60


async def tokens(patient: Patient) -> tuple[Result, ...]:
    """
    Obtain a token for each profile as any request would: store, lock, save.

    One that is still good is not renewed. The API is asked whether it takes it.
    """
    if patient.sealed:
        return (skip("token", patient.sealed),)
    settings = patient.settings
    try:
        broker = await aside(lambda: Broker(settings, lambda: settings))
    except StoreError as error:
        return failed("token", error)
    reached = [
        profile.name
        for profile in settings.profiles.values()
        # In vain it would be tried for long, and all others would have to wait.
        if profile.token_url not in patient.unreached
    ]
    try:
        endpoint = await aside(lambda: TokenEndpoint(settings.network, broker.clock))
        found = await asyncio.gather(
            *(_token(broker, endpoint, name) for name in reached)
        )
        states = await broker.status()
    except StoreError as error:
        return failed("token", error)
    finally:
        await broker.stop()
    endings = (result for state in states for result in _endings(state))
    left = (
        skip(f"token of {name}", "its server was not reached")
        for name in settings.profiles
        if name not in reached
    )
    return (*(each for results in found for each in results), *left, *endings)


async def _token(
    broker: Broker, endpoint: TokenEndpoint, name: str
) -> tuple[Result, ...]:
    what = f"token of {name}"
    try:
        credential = await broker.credential(name)
    except EverbearerError as error:
        return failed(what, error)
    left = credential.token.expires_at - broker.clock.now()
    life = "no known end" if math.isinf(left) else f"{left / _MINUTE:.0f} min left"
    had = ok(what, f"obtained, {life}")
    if not broker.can_renew(name):
        had = ok(what, "a developer token: good for an hour from when it was made")
    try:
        return had, await accepted(broker, endpoint, name)
    except EverbearerError as error:
        return had, *failed(f"API as {name}", error)


def _endings(state: ProfileStatus) -> Iterator[Result]:
    """Tell what will go wrong without somebody's doing."""
    what = f"token of {state.name}"
    for notice in state.notices:
        yield warn(what, notice.message, notice.hint)
    if state.refresh_hint and state.trouble is None:
        yield warn(what, "the refresh token ends within 14 days", state.refresh_hint)
