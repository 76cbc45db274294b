"""
Box: where its tokens come from and where they may go.

Sources: developer.box.com at commit eee1aa64 (2026-02-16) and box/box-openapi at
commit c9a878a9 (2026-06-29). The hosts are the same for FedRAMP customers.
"""

from __future__ import annotations

import json
from typing import Final

from everbearer.policy.hosts import HostPattern
from everbearer.policy.paths import PathPattern
from everbearer.policy.rules import Action, Rule
from everbearer.providers.contract import Preset, Who


def _hosts(*patterns: str) -> tuple[HostPattern, ...]:
    return tuple(map(HostPattern.parse, patterns))


def _paths(*patterns: str) -> tuple[PathPattern, ...]:
    return tuple(map(PathPattern.parse, patterns))


def _user(body: bytes) -> str:
    """Return "name (login)" of a user (openapi, GET /users/me)."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    name, login = found.get("name"), found.get("login")
    if not isinstance(name, str):
        return ""
    return f"{name} ({login})" if isinstance(login, str) else name


_EXCLUSIONS: Final = (
    # Clients put their credentials into the body; the operations have
    # `security: []`. The bodies hold tokens of the client's own.
    Rule(
        label="box: token endpoint",
        hosts=_hosts("api.box.com"),
        paths=_paths("/oauth2/*"),
        action=Action.PASS,
        private=True,
    ),
    # The address is the credential: the target of the redirect that a download
    # answers with, and the content of a zip download (`security: []`).
    Rule(
        label="box: pre-signed downloads",
        hosts=_hosts("dl.boxcloud.com"),
        paths=_paths("/d/*", "/2.0/zip_downloads/*"),
        action=Action.PASS,
        capability=True,
    ),
)
# The older names of the token endpoint (app.box.com/api/oauth2, www.box.com/api/
# oauth2) and the consent page (account.box.com) are not ruled, on purpose: nothing
# is injected there anyhow, and naming a host means decrypting it, here the
# browser's whole traffic with Box's web application.

_INJECTING: Final = (
    Rule(
        label="box: API",
        hosts=_hosts("api.box.com"),
        paths=_paths("/2.0/*"),
    ),
    # Uploads have /api before the version. Upload sessions and preflights name
    # further hosts, such as upload-las.app.box.com.
    Rule(
        label="box: uploads",
        hosts=_hosts("upload.box.com", "upload.app.box.com", "upload-*.app.box.com"),
        paths=_paths("/api/2.0/*"),
    ),
    # Representations, unlike all other downloads, want the token
    # (representations/download-a-representation).
    Rule(
        label="box: representations",
        hosts=_hosts("dl.boxcloud.com"),
        paths=_paths("/api/2.0/internal_files/*"),
    ),
)

BOX: Final = Preset(
    name="box",
    token_url="https://api.box.com/oauth2/token",  # noqa: S106 - an address
    exclusions=_EXCLUSIONS,
    injecting=_INJECTING,
    # authentication/tokens/access-tokens: about an hour; seen are 3600 to 4175.
    default_expires_in=3600.0,
    # authentication/tokens/refresh: 60 days, or one use.
    refresh_token_life=60 * 86400.0,
    # Box Verified Enterprise has ent.box.com instead (oauth2/without-sdk).
    authorize_url="https://account.box.com/api/oauth2/authorize",
    revoke_url="https://api.box.com/oauth2/revoke",
    who=Who("https://api.box.com/2.0/users/me?fields=name,login", _user),
    # openapi, GET /shared_items: shared_link=…&shared_link_password=….
    secret_fields=frozenset({"boxapi"}),
    secret_parameters=frozenset({"shared_link_password"}),
)
