"""The JSON file that Box's developer console offers for an app with a key pair."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.oauth.grants.contract import Subject
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class BoxAppConfig:
    """What the file says; the private key is still PEM and maybe encrypted."""

    client_id: str
    client_secret: Secret
    key_id: str
    private_key: Secret
    passphrase: Secret | None
    enterprise_id: str | None
    user_id: str | None

    @property
    def subject(self) -> Subject | None:
        """
        The enterprise, else the user, else None: the order of Box's SDKs for JWT.

        ValueError where the id is none of Box's.
        """
        if self.enterprise_id:
            return Subject("enterprise", self.enterprise_id)
        return Subject("user", self.user_id) if self.user_id else None


def parse_config_file(text: str) -> BoxAppConfig:
    """
    Read the file as Box made it (developer.box.com, authentication/jwt, 2026-02-16).

    ValueError names the member that is missing or wrong, never its value.
    Members that everbearer has no use for (`webhooks`) are ignored.
    """
    document = _document(text)
    settings = _object(document, "boxAppSettings", "")
    client_id = _text(settings, "clientID", "boxAppSettings.")
    client_secret = _text(settings, "clientSecret", "boxAppSettings.")
    if not settings.get("appAuth"):
        raise ValueError(
            "boxAppSettings.appAuth is missing: this file is for an app without a key"
            ' pair; set grant = "client_credentials"'
        )
    key = _object(settings, "appAuth", "boxAppSettings.")
    prefix = "boxAppSettings.appAuth."
    passphrase = key.get("passphrase")
    if passphrase is not None and not isinstance(passphrase, str):
        raise ValueError(f"{prefix}passphrase must be a text or null")
    return BoxAppConfig(
        client_id=client_id,
        client_secret=Secret(client_secret),
        key_id=_text(key, "publicKeyID", prefix),
        private_key=Secret(_text(key, "privateKey", prefix)),
        passphrase=Secret(passphrase) if passphrase else None,
        enterprise_id=_id(document, "enterpriseID"),
        user_id=_id(document, "userID"),
    )


def _document(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        # Only the place: the error itself holds the whole file, so it must not
        # become the context of another one.
        trouble = f"no valid JSON at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        trouble = "no valid JSON"
    else:
        if isinstance(document, dict):
            return document
        trouble = "no JSON object"
    raise ValueError(f"this is {trouble}; download the file from Box again")


def _object(
    parent: Mapping[str, object], name: str, prefix: str
) -> Mapping[str, object]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{prefix}{name} is missing or not an object")  # noqa: TRY004 - the file is wrong, not the caller
    return value


def _text(parent: Mapping[str, object], name: str, prefix: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{prefix}{name} is missing or not a text")
    return value.strip()


def _id(document: Mapping[str, object], name: str) -> str | None:
    """Read an id, which Box writes as text and people as a number."""
    value = document.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value == "":
        return None
    return _text(document, name, "")
