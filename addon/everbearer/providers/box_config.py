"""The JSON file that Box's developer console offers for an app with a key pair."""

from __future__ import annotations

from dataclasses import dataclass

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.members import read_members
from everbearer.secret import Secret


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


def parse_config_file(text: str, private_key: Secret | None = None) -> BoxAppConfig:
    """
    Read the file as Box made it (developer.box.com, authentication/jwt, 2026-02-16).

    ValueError names the member that is missing or wrong, never its value.
    Members that everbearer has no use for (`webhooks`) are ignored, and so is
    the key in it where a `private_key` is given.
    """
    document = read_members(text, "download the file from Box again")
    settings = document.inner("boxAppSettings")
    client_id = settings.text("clientID")
    client_secret = settings.secret("clientSecret")
    if not settings.values.get("appAuth"):
        raise ValueError(
            "boxAppSettings.appAuth is missing: this file is for an app without a key"
            " pair; run: everbearer init --profile NAME --grant client_credentials"
        )
    key = settings.inner("appAuth")
    passphrase = key.values.get("passphrase")
    if passphrase is not None and not isinstance(passphrase, str):
        raise ValueError(f"{key.place}passphrase must be a text or null")
    return BoxAppConfig(
        client_id=client_id,
        client_secret=client_secret,
        key_id=key.text("publicKeyID"),
        private_key=private_key or key.secret("privateKey"),
        passphrase=Secret(passphrase) if passphrase else None,
        enterprise_id=document.optional("enterpriseID") or None,
        user_id=document.optional("userID") or None,
    )
