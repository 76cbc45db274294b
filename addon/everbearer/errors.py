"""
What can go wrong, as one tree.

    EverbearerError
    ├── ConfigError                     the configuration; every problem at once
    ├── StoreError                      the store of tokens
    │   ├── StoreConflict               another process saved first
    │   └── StoreBrokeOff               it went away meanwhile, and may be back at once
    └── GrantError                      no access token could be had
        ├── ReauthorizationRequired     the grant is dead: a person must act
        ├── TokenRequestRejected        the client is refused: mend the configuration
        ├── TokenResponseMalformed      the answer makes no sense
        └── TokenEndpointUnavailable    try again later

An error is what went wrong; what the client is told is a refusal (a value).
Messages are lower case, name the thing and the fix, and never hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.secret import Secret


class EverbearerError(Exception):
    """
    The base of everything that everbearer raises.

    `status` is what an HTTP client sees, `exit_code` what a shell sees;
    `retryable` tells that the same request may succeed later by itself.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = "see the log of everbearer"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration: where, what, and the corrected form."""

    path: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}; {self.fix}" if self.fix else text


class ConfigError(EverbearerError):
    """
    The configuration cannot be used; `problems` holds every mistake found.

    `files` are those that were read or looked for: a change in one may mend it.
    """

    code = "configuration_error"
    exit_code = 2
    default_hint = "run: everbearer check"

    def __init__(
        self,
        *problems: Problem,
        hint: str | None = None,
        files: frozenset[Path] = frozenset(),
    ) -> None:
        super().__init__("\n".join(map(str, problems)), hint=hint)
        self.problems = problems
        self.files = files


class StoreError(EverbearerError):
    """The store cannot be read or written."""

    code = "store_error"
    exit_code = 3
    default_hint = "run: everbearer status"


class StoreConflict(StoreError):
    """The record was saved by another process since it was loaded."""

    code = "store_conflict"
    retryable = True


class StoreBrokeOff(StoreError):
    """The store went away in the midst of something; it may be back at once."""

    code = "store_broke_off"
    retryable = True


class GrantError(EverbearerError):
    """No access token could be obtained by the grant."""

    code = "grant_error"
    status = 502
    exit_code = 4


class ReauthorizationRequired(GrantError):
    """The authorization server says `invalid_grant` (RFC 6749 §5.2)."""

    code = "reauthorization_required"


class TokenRequestRejected(GrantError):
    """The authorization server refuses the client or its request (RFC 6749 §5.2)."""

    code = "token_request_rejected"
    default_hint = "correct client_id and client_secret in the configuration"


class TokenResponseMalformed(GrantError):
    """
    The token response is not one (RFC 6749 §5.1).

    `refresh_token` is the one that it holds all the same: the server may have
    ended the one before it. Only for whoever keeps it.
    """

    code = "token_response_malformed"
    retryable = True
    default_hint = "check token_url and what stands between you and it"

    refresh_token: Secret | None = None


class TokenEndpointUnavailable(GrantError):
    """
    The token endpoint cannot be reached or will not answer now.

    `retry_after` is in seconds from now, None where nobody said.
    """

    code = "token_endpoint_unavailable"
    status = 503
    exit_code = 5
    retryable = True
    default_hint = "try again later"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


def stopping() -> TokenEndpointUnavailable:
    """Return what those get who ask for a token when it is too late."""
    return TokenEndpointUnavailable("everbearer is stopping", retry_after=1.0)


def reason_of(error: OSError) -> str:
    """Return in words, in small letters, why the operating system refused."""
    return (error.strerror or str(error) or type(error).__name__).lower()
