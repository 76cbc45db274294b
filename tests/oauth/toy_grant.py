"""A grant in one file, as another would be written."""

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
        Uses,
    )
    from everbearer.secret import Secret


@dataclass(frozen=True, slots=True)
class Toy:
    """The client swears who it is, with a new oath each time."""

    name: ClassVar[str] = "toy"
    rotates: ClassVar[bool] = False
    uses: ClassVar[Uses] = frozenset({"subject"})

    client_id: str
    client_secret: Secret
    identity: str

    @classmethod
    def configured(cls, settings: GrantSettings) -> Self:
        """Build the grant of a profile."""
        return cls(settings.client_id, settings.client_secret, str(settings.subject))

    @property
    def fingerprint(self) -> str:
        """Differs when anything in the configuration of the grant differs."""
        return configuration_fingerprint(
            self.client_id, self.client_secret.reveal(), self.identity
        )

    @property
    def seed(self) -> Secret | None:
        """None: nothing has to be brought along."""
        return None

    def token_request(self, refresh_token: Secret | None, moment: Moment) -> Form:
        """Build the fields of one attempt."""
        del refresh_token
        return (
            ("grant_type", self.name),
            ("client_secret", self.client_secret),
            ("oath", f"{self.identity} {moment.nonce}"),
        )

    def correctable(self, rejection: Rejection) -> bool:
        """Tell whether another oath may help."""
        return rejection.error == "invalid_grant"

    def reauthorize_hint(self, profile: str) -> str:
        """Say what a person does."""
        return f"run: everbearer renew {profile}"
