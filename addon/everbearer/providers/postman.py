"""
An environment that Postman exported, for either of Box's collections.

Source: box/box-postman at commit 21e2d65e (2025-01-21). The advanced collection
says in `box_env_type` how it authenticates; the classic one knows refresh tokens
alone. Variables that nobody filled in are empty, or hold what the template says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.foreign import ForeignKey, ForeignProfile
from everbearer.providers.members import Members, read_members
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPORT: Final = "export the environment from Postman again"
_FILL: Final = (
    "fill it in and export again: an export has no value that stands under"
    ' "Current value" alone'
)
# Such as: YOU CLIENT ID GOES HERE, YOUR ENTERPRISE ID, a variable of its own, <id>.
_TEMPLATE: Final = re.compile(r"YOUR? [A-Z ]+|\{\{.*\}\}|<.*>", re.DOTALL)


def parse_environment(text: str) -> ForeignProfile:
    """
    Return the identity that an exported environment is for.

    ValueError names the variable that is missing or wrong, never its value.
    """
    document = read_members(text, _EXPORT)
    if "item" in document.values:
        raise ValueError(
            "this is a collection, which has no credentials; export the environment"
            " that goes with it"
        )
    variables = _variables(document)
    name = document.optional("name")
    kind = variables.get("box_env_type", "").upper()
    if kind == "BEARER" or (not kind and _only_a_token(variables)):
        token = Secret(_filled(variables, "access_token"))
        return ForeignProfile("", name, access_token=token)
    if kind not in {"", "OAUTH", "CCG", "JWT"}:
        raise ValueError(
            "box_env_type is none of BEARER, OAUTH, CCG and JWT; correct it in Postman"
        )
    client_id = _filled(variables, "client_id")
    client_secret = Secret(_filled(variables, "client_secret"))
    if kind in {"", "OAUTH"}:
        refresh_token = variables.get("refresh_token", "")
        return ForeignProfile(
            "refresh_token",
            name,
            client_id,
            client_secret,
            refresh_token=Secret(refresh_token) if refresh_token else None,
        )
    return ForeignProfile(
        "client_credentials" if kind == "CCG" else "jwt_bearer",
        name,
        client_id,
        client_secret,
        key=_key(variables) if kind == "JWT" else None,
        subject=_subject(variables),
    )


def _variables(document: Members) -> Mapping[str, str]:
    """Return what is filled in and not switched off; of a name's values the last."""
    values = document.values.get("values")
    if not isinstance(values, list):
        raise ValueError(f"values is missing or not an array; {_EXPORT}")  # noqa: TRY004 - the file is wrong, not the caller
    found: dict[str, str] = {}
    for value in values:
        if not isinstance(value, dict):
            raise ValueError(f"values holds what is no object; {_EXPORT}")  # noqa: TRY004 - as above
        key, text = value.get("key"), value.get("value")
        if value.get("enabled") is False or not isinstance(key, str):
            continue
        text = str(text) if isinstance(text, str | int) else ""
        found[key] = "" if _TEMPLATE.fullmatch(text.strip()) else text.strip()
    return found


def _only_a_token(variables: Mapping[str, str]) -> bool:
    return bool(variables.get("access_token")) and not variables.get("client_id")


def _filled(variables: Mapping[str, str], name: str) -> str:
    if not variables.get(name):
        raise ValueError(f"the variable {name} is not filled in; {_FILL}")
    return variables[name]


def _key(variables: Mapping[str, str]) -> ForeignKey:
    pem = Secret(_filled(variables, "private_key_encrypted"))
    passphrase = variables.get("private_key_passphrase", "")
    return ForeignKey(
        _filled(variables, "key_id"), pem, Secret(passphrase) if passphrase else None
    )


def _subject(variables: Mapping[str, str]) -> Subject:
    kind = variables.get("box_subject_type") or "enterprise"
    return Subject(kind, _filled(variables, "box_subject_id"))
