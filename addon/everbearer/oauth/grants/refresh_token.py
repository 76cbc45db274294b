"""A refresh token is redeemed for the next pair (RFC 6749 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from everbearer.errors import ReauthorizationRequired
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
class RefreshToken:
    """
    The grant of somebody who once consented in a browser.

    `refresh_token` is the seed: it is redeemed once, from then on the one of
    the last answer. None where there is none in the configuration.
    """

    name: ClassVar[str] = "refresh_token"
    rotates: ClassVar[bool] = True
    uses: ClassVar[Uses] = frozenset({"refresh_token"})

    client_id: str
    client_secret: Secret
    refresh_token: Secret | None

    @classmethod
    def configured(cls, settings: GrantSettings) -> Self:
        """Build the grant of a profile."""
        return cls(settings.client_id, settings.client_secret, settings.refresh_token)

    @property
    def identity(self) -> str:
        """The seed's fingerprint, "" without a seed."""
        return self.refresh_token.fingerprint() if self.refresh_token else ""

    @property
    def fingerprint(self) -> str:
        """Differs when anything in the configuration of the grant differs."""
        return configuration_fingerprint(
            self.name,
            self.client_id,
            self.client_secret.reveal(),
            self.refresh_token.reveal() if self.refresh_token else "",
        )

    @property
    def seed(self) -> Secret | None:
        """The first refresh token."""
        return self.refresh_token

    def token_request(self, refresh_token: Secret | None, moment: Moment) -> Form:
        """
        Build the request with `refresh_token`, with the seed where it is None.

        ReauthorizationRequired where there is neither.
        """
        del moment  # only assertions depend on it
        redeemed = refresh_token or self.refresh_token
        if not redeemed:
            raise ReauthorizationRequired("there is no refresh token to redeem")
        return (
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id),
            ("client_secret", self.client_secret),
            ("refresh_token", redeemed),
        )

    def correctable(self, rejection: Rejection) -> bool:
        """Never: a refresh token that was refused stays refused."""
        del rejection
        return False

    def reauthorize_hint(self, profile: str) -> str:
        """Say what may have happened, and where a new refresh token goes."""
        if self.refresh_token is None:
            return f"write profiles.{profile}.refresh_token into the configuration"
        return (
            "the refresh token has expired, or another program redeemed it outside"
            f" this proxy; put a new one where profiles.{profile}.refresh_token"
            f" points and run: everbearer renew {profile}"
        )
