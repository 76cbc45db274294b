"""Whether everbearer can serve, for whoever starts it, watches it or feeds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from everbearer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from everbearer.broker import Broker
    from everbearer.renewal.status import ProfileStatus
    from everbearer.settings.model import Profile

type Health = tuple[int, dict[str, Any]]
"""An HTTP status, and what its body is as JSON."""


def alive() -> Health:
    """Return what `/healthz` answers: whoever can say so runs."""
    return 200, {"status": "ok"}


async def readiness(broker: Broker) -> Health:
    """Return what `/readyz` answers; asks the store, and no server."""
    try:
        statuses = await broker.status()
    except StoreError as error:
        return 503, {"status": "unready", "code": error.code}
    except RuntimeError:  # the store is closed, and has no threads any more
        return 503, {"status": "unready", "code": "stopping"}
    return ready(statuses, broker.settings.profiles)


def ready(statuses: Iterable[ProfileStatus], profiles: Mapping[str, Profile]) -> Health:
    """
    Return 503 where one of *profiles* cannot serve, and why: codes, nothing more.

    A profile serves while its token lives, whatever trouble there is about the next
    one. Without one it serves unless it is known that none can be had.
    """
    found = {each.name: _reason(each, profiles.get(each.name)) for each in statuses}
    unfit = {name: reason for name, reason in sorted(found.items()) if reason}
    if unfit:
        return 503, {"status": "unready", "profiles": unfit}
    return 200, {"status": "ok"}


def _reason(status: ProfileStatus, profile: Profile | None) -> str:
    if status.state in {"fresh", "stale"}:
        return ""
    if status.state == "expired" and status.expires_in:
        return ""  # served until its true end
    if status.trouble is not None:
        return status.trouble.kind.value
    grant = profile.grant if profile else None
    if grant is None:
        # Nothing renews it; one that nobody has used yet may be alive.
        return "" if status.state == "none" else status.state
    nobody = grant.rotates and grant.seed is None and status.refresh_issued_at is None
    return "reauthorize" if nobody else ""
