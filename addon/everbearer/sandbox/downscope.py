"""Downscoped tokens: what a token exchange asks for (DOC `tokens/downscope.md`)."""

import re
from collections.abc import Mapping
from typing import Any

from everbearer.sandbox import shapes
from everbearer.sandbox.message import Refused
from everbearer.sandbox.tokens import AccessToken, Restriction

ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 a name
SCOPES = frozenset(
    {
        "base_explorer",
        "base_picker",
        "base_preview",
        "base_sidebar",
        "base_upload",
        "item_delete",
        "item_download",
        "item_preview",
        "item_rename",
        "item_share",
        "item_upload",
        "root_readonly",
        "root_readwrite",
    }
)

_RESOURCE = re.compile(r"https://api\.box\.com/2\.0/((files|folders)/\d+)")


def restrict(
    form: Mapping[str, str], subject: AccessToken
) -> tuple[Restriction, list[dict[str, Any]]]:
    """
    Return the restriction that *form* asks for, and its `restricted_to`.

    Raises Refused; with 401 for scopes that the subject token lacks (OAS).
    """
    if form.get("subject_token_type") != ACCESS_TOKEN_TYPE:
        raise _invalid("subject_token_type must be that of an access token")
    if "box_shared_link" in form:
        raise Refused(shapes.client_error(501))
    scopes = frozenset(form.get("scope", "").split())
    if not scopes or not scopes <= SCOPES:
        raise Refused(
            shapes.oauth_error("invalid_scope", "The scope is missing or unknown")
        )
    held = subject.restriction
    if held is not None and not scopes <= held.scopes:
        raise Refused(
            shapes.oauth_error(
                "invalid_scope", "The subject_token lacks a requested scope", 401
            )
        )
    resource = held.resource if held else None
    if "resource" in form:
        match = _RESOURCE.fullmatch(form["resource"])
        if match is None or resource not in (None, match[1]):
            raise _invalid("The resource is invalid")
        resource = match[1]
    return Restriction(scopes, resource), _restricted_to(scopes, resource)


def _restricted_to(
    scopes: frozenset[str], resource: str | None
) -> list[dict[str, Any]]:
    if resource is None:
        return []
    kind, _, item_id = resource.partition("/")
    item = {"id": item_id, "type": kind.removesuffix("s")}
    return [{"scope": scope, "object": item} for scope in sorted(scopes)]


def _invalid(description: str) -> Refused:
    return Refused(shapes.oauth_error("invalid_request", description))
