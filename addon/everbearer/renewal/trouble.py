"""What became of a renewal, and what the next one has to know of a failure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.errors import (
    EverbearerError,
    GrantError,
    ReauthorizationRequired,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.renewal.backoff import delay
from everbearer.stores.contract import Trouble, TroubleKind

if TYPE_CHECKING:
    from random import Random

    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken

_PERSON_NEEDED: Final = frozenset({TroubleKind.REAUTHORIZE, TroubleKind.CONFIGURATION})


@dataclass(frozen=True, slots=True)
class Success:
    """
    A token that is on disk and may be served.

    `retry_after` (seconds) where it is still the old one and the next attempt
    should not wait for its end.
    """

    token: AccessToken
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No token; seconds until trying again makes sense, `inf` if a person must act."""

    error: EverbearerError
    retry_after: float


type Result = Success | Failure


def trouble_of(
    error: GrantError,
    previous: Trouble | None,
    grant: Grant,
    wall: float,
    random: Random,
) -> Trouble:
    """
    Return what all processes of the store shall know of *error*.

    Failures in a row are counted through *previous*, whatever configuration met
    them, so that they back off together. `not_before` and `wait` are 0 where only a
    person can help.
    """
    kind = _kind(error)
    in_a_row = previous if previous and not needs_person(previous) else None
    attempts = in_a_row.attempts + 1 if in_a_row else 1
    asked = getattr(error, "retry_after", None)
    final = kind in _PERSON_NEEDED
    wait = 0.0 if final else delay(attempts, asked, random)
    return Trouble(
        kind=kind,
        message=error.message,
        since=min(in_a_row.since, wall) if in_a_row else wall,
        attempts=attempts,
        not_before=0.0 if final else wall + wait,
        grant=grant.fingerprint,
        hint=error.hint,
        wait=wait,
    )


def failure_of(
    trouble: Trouble, grant: Grant, profile: str, wait: float
) -> Failure | None:
    """
    Return what *trouble* means for a renewal; None: it may be tried.

    *wait* is what is left of its pause, seconds, which holds for every configuration:
    a server that is busy is so for all. A last word to another one is void.
    """
    if needs_person(trouble) and trouble.grant != grant.fingerprint:
        return None
    match trouble.kind:
        case TroubleKind.REAUTHORIZE:
            hint = grant.reauthorize_hint(profile, trouble.message)
            return Failure(
                ReauthorizationRequired(trouble.message, hint=hint), math.inf
            )
        case TroubleKind.CONFIGURATION:
            return Failure(
                TokenRequestRejected(trouble.message, hint=trouble.hint or None),
                math.inf,
            )
    if wait <= 0:
        return None
    if trouble.kind is TroubleKind.MALFORMED:
        return Failure(TokenResponseMalformed(trouble.message), wait)
    return Failure(TokenEndpointUnavailable(trouble.message, retry_after=wait), wait)


def as_told(error: GrantError, grant: Grant, profile: str, wait: float) -> GrantError:
    """Return *error* with what the caller needs: the hint, or the seconds to wait."""
    match error:
        case ReauthorizationRequired():
            hint = grant.reauthorize_hint(profile, error.message)
            return ReauthorizationRequired(error.message, hint=hint)
        case TokenResponseMalformed():
            # What it carries is kept by now, and nobody else's.
            return TokenResponseMalformed(error.message, hint=error.hint)
        case TokenEndpointUnavailable():
            return TokenEndpointUnavailable(
                error.message, hint=error.hint, retry_after=wait
            )
    return error


def needs_person(trouble: Trouble) -> bool:
    """Tell whether the token endpoint has spoken its last word."""
    return trouble.kind in _PERSON_NEEDED


def _kind(error: GrantError) -> TroubleKind:
    match error:
        case ReauthorizationRequired():
            return TroubleKind.REAUTHORIZE
        case TokenRequestRejected():
            return TroubleKind.CONFIGURATION
        case TokenResponseMalformed():
            return TroubleKind.MALFORMED
    return TroubleKind.UNAVAILABLE
