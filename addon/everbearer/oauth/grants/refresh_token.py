"""A refresh token is redeemed for the next pair (RFC 6749 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

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


NOT_LOGGED_IN: Final = "nobody has logged in yet"
LOGGED_OUT: Final = "logged out"
NOBODY: Final = frozenset({NOT_LOGGED_IN, LOGGED_OUT})
"""Messages of a grant that no server has refused."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """
    The grant of somebody who once consented in a browser.

    `refresh_token` is the seed: it is redeemed once, from then on the one of
    the last answer. None where there is none in the configuration.
    """

    name: ClassVar[str] = "refresh_token"
    rotates: ClassVar[bool] = True
    uses: ClassVar[Uses] = frozenset({"refresh_token", "authorize_url", "redirect_uri"})

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
            raise ReauthorizationRequired(NOT_LOGGED_IN)
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

    def reauthorize_hint(self, profile: str, message: str) -> str:
        """Say that a person must consent, and what may have become of a consent."""
        if message in NOBODY:
            return f"run: everbearer login {profile}"
        return (
            "the refresh token has expired or was revoked, or another program redeemed"
            f" it outside this proxy; run: everbearer login {profile}"
        )
