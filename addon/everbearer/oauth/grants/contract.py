"""What every grant is: a frozen value that builds token requests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, Self

if TYPE_CHECKING:
    from everbearer.oauth.assertion import SigningKey
    from everbearer.secret import Secret

type Form = tuple[tuple[str, str | Secret], ...]
"""The fields of a token request, in order (application/x-www-form-urlencoded)."""


_SUBJECT_TYPES: Final = ("enterprise", "user")
_FINGERPRINT_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """
    Whom the token acts as, where the grant does not tell it by itself.

    `type` is "enterprise" or "user", `id` decimal digits: the two things that
    `box_sub_type` and `box_subject_type` know. ValueError for anything else.
    """

    type: str
    id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.id.strip())
        if self.type not in _SUBJECT_TYPES:
            raise ValueError('the subject\'s type must be "enterprise" or "user"')
        if not (self.id.isascii() and self.id.isdigit()):
            raise ValueError("the subject's id must be the decimal id of Box")

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


@dataclass(frozen=True, slots=True)
class Moment:
    """
    What a token request takes from outside.

    `server_time` is the authorization server's clock as far as it is known, in
    seconds since the epoch; `nonce` is fresh random text, 16 to 128 characters,
    and never used twice.
    """

    server_time: float
    nonce: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error of the token endpoint (RFC 6749 §5.2); the description is untrusted."""

    status: int
    error: str
    description: str = field(repr=False)


type Uses = frozenset[
    Literal["refresh_token", "authorize_url", "redirect_uri", "jwt", "subject"]
]
"""Keys of a profile that not every grant has."""


@dataclass(frozen=True, slots=True)
class GrantSettings:
    """
    What a profile says of its grant.

    `signing` and `subject` are there for a grant that uses `jwt` and `subject`;
    `refresh_token` is None where the profile has none to begin with.
    """

    client_id: str
    client_secret: Secret
    refresh_token: Secret | None = None
    signing: SigningKey | None = None
    subject: Subject | None = None


class Grant(Protocol):
    """A configured way to obtain an access token (RFC 6749 §1.3)."""

    name: ClassVar[str]  # in the configuration: `grant = "…"`
    rotates: ClassVar[bool]  # each answer carries the refresh token of the next
    uses: ClassVar[Uses]  # of the profile, beside client_id and client_secret

    @classmethod
    def configured(cls, settings: GrantSettings) -> Self:
        """Build the grant of a profile."""

    @property
    def client_id(self) -> str:
        """The client at the authorization server."""

    @property
    def client_secret(self) -> Secret:
        """What the client proves itself with."""

    @property
    def identity(self) -> str:
        """What makes it another grant: the subject, or the seed's fingerprint."""

    @property
    def fingerprint(self) -> str:
        """Differs when anything in the configuration of the grant differs."""

    @property
    def seed(self) -> Secret | None:
        """The first refresh token, from the configuration; None where none is."""

    def token_request(self, refresh_token: Secret | None, moment: Moment) -> Form:
        """Build the fields of one attempt; each attempt needs its own moment."""

    def correctable(self, rejection: Rejection) -> bool:
        """Tell whether the same grant may succeed at once with a better moment."""

    def reauthorize_hint(self, profile: str, message: str) -> str:
        """
        Say what a person does about *message*, mostly the server's `invalid_grant`.

        It ends in the command to run.
        """


def configuration_fingerprint(*values: str) -> str:
    """
    Return 16 hexadecimal digits that tell one configuration from another.

    The encoding is unambiguous: no two lists of values have the same one.
    """
    canonical = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_FINGERPRINT_DIGITS]
