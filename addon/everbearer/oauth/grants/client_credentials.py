"""The client's own secret is enough (RFC 6749 §4.4), as Box has extended it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from everbearer.oauth.grants.contract import configuration_fingerprint

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import (
        Form,
        GrantSettings,
        Moment,
        Rejection,
        Subject,
        Uses,
    )
    from everbearer.secret import Secret


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The grant of an app with server authentication by client id and secret."""

    name: ClassVar[str] = "client_credentials"
    rotates: ClassVar[bool] = False
    uses: ClassVar[Uses] = frozenset({"subject"})

    client_id: str
    client_secret: Secret
    subject: Subject

    @classmethod
    def configured(cls, settings: GrantSettings) -> Self:
        """Build the grant of a profile."""
        assert settings.subject is not None
        return cls(settings.client_id, settings.client_secret, settings.subject)

    @property
    def identity(self) -> str:
        """The subject."""
        return str(self.subject)

    @property
    def fingerprint(self) -> str:
        """Differs when anything in the configuration of the grant differs."""
        return configuration_fingerprint(
            self.name, self.client_id, self.client_secret.reveal(), self.identity
        )

    @property
    def seed(self) -> Secret | None:
        """None: nothing has to be brought along."""
        return None

    def token_request(self, refresh_token: Secret | None, moment: Moment) -> Form:
        """Build the fields of one attempt; they are always the same."""
        del refresh_token, moment
        # developer.box.com, authentication/client-credentials (2026-02-16): the
        # subject goes beside the fields of RFC 6749 §4.4.2, the client's
        # credentials into the body.
        return (
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id),
            ("client_secret", self.client_secret),
            ("box_subject_type", self.subject.type),
            ("box_subject_id", self.subject.id),
        )

    def correctable(self, rejection: Rejection) -> bool:
        """Never: another attempt would be the same."""
        del rejection
        return False

    def reauthorize_hint(self, profile: str, message: str) -> str:
        """Say what Box may have against the client."""
        del message
        return (
            f"check client_id and client_secret, that the app may act as {self.subject}"
            " and that it is authorized in the Box Admin Console,"
            f" then run: everbearer renew {profile}"
        )
