"""A signed assertion is exchanged for a token (RFC 7523 §2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from everbearer.oauth.assertion import ALGORITHMS, build_assertion
from everbearer.oauth.grants.contract import configuration_fingerprint

if TYPE_CHECKING:
    from everbearer.oauth.assertion import PrivateKey
    from everbearer.oauth.grants.contract import (
        Form,
        GrantSettings,
        Moment,
        Rejection,
        Subject,
        Uses,
    )
    from everbearer.secret import Secret

AUDIENCE: Final = "https://api.box.com/oauth2/token"
"""
What Box wants in `aud`, wherever the request really goes.

developer.box.com, authentication/jwt/without-sdk (2026-02-16); every SDK has it
as a constant.
"""

ASSERTION_LIFE: Final = 30
"""
Seconds. Box takes at most 60 from its own clock's now: the middle of that window
bears the most skew in both directions (box-java-sdk issue 572).
"""

# Box names the claim that it disliked ("Please check the 'exp' claim."). Whole
# words, because "Refresh token has expired" is nothing a new assertion mends.
_CLAIM: Final = re.compile(r"\b(?:exp|nbf|iat|jti)\b")


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """
    The grant of an app with server authentication by key pair.

    `key_id` is "" where the app has one key only. ValueError for an algorithm
    that Box does not take.
    """

    name: ClassVar[str] = "jwt_bearer"
    rotates: ClassVar[bool] = False
    uses: ClassVar[Uses] = frozenset({"jwt", "subject"})

    client_id: str
    client_secret: Secret
    subject: Subject
    key_id: str
    private_key: PrivateKey
    algorithm: str = "RS256"

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"the algorithm must be one of {', '.join(ALGORITHMS)}")

    @classmethod
    def configured(cls, settings: GrantSettings) -> Self:
        """Build the grant of a profile; ValueError for the algorithm."""
        assert settings.subject is not None
        assert settings.signing is not None
        return cls(
            settings.client_id,
            settings.client_secret,
            settings.subject,
            settings.signing.key_id,
            settings.signing.private_key,
            settings.signing.algorithm,
        )

    @property
    def identity(self) -> str:
        """The subject."""
        return str(self.subject)

    @property
    def fingerprint(self) -> str:
        """Differs when anything in the configuration of the grant differs."""
        return configuration_fingerprint(
            self.name,
            self.client_id,
            self.client_secret.reveal(),
            self.identity,
            self.key_id,
            self.private_key.fingerprint,
            self.algorithm,
        )

    @property
    def seed(self) -> Secret | None:
        """None: nothing has to be brought along."""
        return None

    def token_request(self, refresh_token: Secret | None, moment: Moment) -> Form:
        """Build the fields of one attempt; the moment's nonce becomes the `jti`."""
        del refresh_token
        assertion = build_assertion(
            self.private_key,
            issuer=self.client_id,
            subject=self.subject.id,
            subject_type=self.subject.type,
            audience=AUDIENCE,
            jti=moment.nonce,
            expires_at=int(moment.server_time + ASSERTION_LIFE),
            key_id=self.key_id,
            algorithm=self.algorithm,
        )
        return (
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("client_id", self.client_id),
            ("client_secret", self.client_secret),
            ("assertion", assertion),
        )

    def correctable(self, rejection: Rejection) -> bool:
        """Tell whether only the assertion's times or its `jti` were refused."""
        return rejection.error == "invalid_grant" and bool(
            _CLAIM.search(rejection.description)
        )

    def reauthorize_hint(self, profile: str, message: str) -> str:
        """Say what Box may have against the client or its key."""
        del message
        return (
            "check client_id, client_secret, key_id and the private key, that the app"
            f" may act as {self.subject} and that it is authorized in the Box Admin"
            f" Console, then run: everbearer renew {profile}"
        )
