"""Events, statuses and profiles as they come."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from everbearer.events import Exchanged, RenewalFailed, Renewed
from everbearer.policy.view import ListenerView, RequestView
from everbearer.renewal.status import ProfileStatus
from everbearer.settings.load import load
from everbearer.settings.model import Settings
from everbearer.stores.contract import Trouble, TroubleKind

AT = 1_793_000_000.0

CONFIG = """
default_profile = "app"

[profiles.app]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "hush-hush-secret"
subject = { type = "enterprise", id = "7" }

[profiles.person]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = "hush-hush-secret"

[profiles.token]
provider = "box"
access_token = "hush-hush-token"

[store]
url = "memory:"
"""


def settings(folder: Path, more: str = "") -> Settings:
    """Return a configuration with a profile of each kind."""
    config = folder / "everbearer.toml"
    config.write_text(CONFIG + more)
    config.chmod(0o600)
    return load(config, {})


def view(**changes: object) -> RequestView:
    """Return what a decision looked at."""
    plain = RequestView(
        scheme="https",
        host="api.box.com",
        port=443,
        verified_name="api.box.com",
        method="GET",
        path="/2.0/x",
        authorities=("api.box.com",),
        listener=ListenerView("127.0.0.1:8080"),
    )
    return dataclasses.replace(plain, **changes)


def exchanged(number: int = 1, **changes: object) -> Exchanged:
    """Return a request that has ended."""
    plain = Exchanged(
        at=AT + number,
        method="GET",
        host="api.box.com",
        path=f"/2.0/x/{number}",
        status=200,
        profile="app",
        verdict="inject",
        code="missing",
        duration=0.01,
        rule="box: API",
        token="aaaaaaaaaaaa",
        client="127.0.0.1",
        id=f"id-{number}",
        reason="the request has no credential",
        view=view(),
    )
    return dataclasses.replace(plain, **changes)


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


def status(name: str = "app", **changes: object) -> ProfileStatus:
    """Return the status of a profile whose token is fresh."""
    plain = ProfileStatus(
        name, "client_credentials", "fresh", "aaaaaaaaaaaa", 3000.0, AT - 600
    )
    return dataclasses.replace(plain, **changes)


def trouble(kind: TroubleKind, **changes: object) -> Trouble:
    """Return a trouble of the store."""
    plain = Trouble(kind, "the server says no", AT - 5, 1, 0.0, "f")
    return dataclasses.replace(plain, **changes)
