"""What another program's file says of one identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.oauth.assertion import load_private_key

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Subject
    from everbearer.providers.box_config import BoxAppConfig
    from everbearer.secret import Secret


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A key that signs assertions: PEM, and its passphrase where it is encrypted."""

    key_id: str
    private_key: Secret
    passphrase: Secret | None

    def __post_init__(self) -> None:
        load_private_key(self.private_key, self.passphrase)


@dataclass(frozen=True, slots=True)
class ForeignProfile:
    """
    One identity as another program has it.

    `grant` is "" where there is an `access_token` only, which nothing renews;
    `name` is what that program calls it, "" where it has no name for it.
    """

    grant: str
    name: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    key: ForeignKey | None = None
    subject: Subject | None = None
    access_token: Secret | None = None
    as_user: str = ""


def from_box_config(
    app: BoxAppConfig, name: str = "", as_user: str = ""
) -> ForeignProfile:
    """
    Return the identity of an app with a key pair, by the file that Box offers.

    ValueError where the key cannot be used, or nobody says whom it acts for.
    """
    subject = app.subject
    if subject is None:
        raise ValueError(
            "enterpriseID is missing, so nobody says whom the token acts for;"
            " download the file again once the app is authorized for an enterprise"
        )
    return ForeignProfile(
        "jwt_bearer",
        name,
        app.client_id,
        app.client_secret,
        key=ForeignKey(app.key_id, app.private_key, app.passphrase),
        subject=subject,
        as_user=as_user,
    )
