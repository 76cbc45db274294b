"""Events as they come, for whoever is told of them."""

from __future__ import annotations

import dataclasses

from everbearer.events import Exchanged, RenewalFailed, Renewed, Replayed
from everbearer.policy.view import ListenerView, RequestView

AT = 1_793_000_000.0


def view(**changes: object) -> RequestView:
    """Return what a decision looked at."""
    plain = {
        "scheme": "https",
        "host": "api.box.com",
        "port": 443,
        "verified_name": "api.box.com",
        "method": "GET",
        "path": "/2.0/x",
        "authorities": ("api.box.com",),
        "listener": ListenerView("127.0.0.1:8080"),
    }
    return RequestView(**plain | changes)


def exchanged(number: int = 1, **changes: object) -> Exchanged:
    """Return a request that has ended."""
    plain = {
        "at": AT + number,
        "method": "GET",
        "host": "api.box.com",
        "path": f"/2.0/x/{number}",
        "status": 200,
        "profile": "app",
        "verdict": "inject",
        "code": "missing",
        "duration": 0.01,
        "rule": "box: API",
        "token": "aaaaaaaaaaaa",
        "client": "127.0.0.1",
        "id": f"id-{number}",
        "reason": "the request has no credential",
        "view": view(),
    }
    return Exchanged(**plain | changes)


def renewed(at: float = AT, **changes: object) -> Renewed:
    """Return a renewal."""
    plain = Renewed(at, "app", "first", "aaaaaaaaaaaa", at + 3600, 0.1)
    return dataclasses.replace(plain, **changes)


def failed(at: float = AT, **changes: object) -> RenewalFailed:
    """Return a renewal that failed."""
    plain = RenewalFailed(
        at=at,
        profile="app",
        cause="expired",
        code="token_endpoint_unavailable",
        message="no answer",
        hint="try again later",
    )
    return dataclasses.replace(plain, **changes)


def replayed(number: int = 1, **changes: object) -> Replayed:
    """Return the replay of that request."""
    plain = Replayed(
        at=AT + number,
        profile="app",
        method="GET",
        host="api.box.com",
        path=f"/2.0/x/{number}",
        status=200,
        duration=0.05,
        id=f"id-{number}",
    )
    return dataclasses.replace(plain, **changes)
