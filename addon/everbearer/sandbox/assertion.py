"""Box's checks of a JWT assertion (RFC 7523 §3; box-facts section 2)."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

# A constant, whatever the address that the request went to.
AUDIENCE = "https://api.box.com/oauth2/token"
ALGORITHMS = ("RS256", "RS384", "RS512")
LONGEST_LIFE = 60
JTI_LENGTHS = range(16, 129)


class AssertionRejected(Exception):  # noqa: N818  it is an answer, not a fault
    """The assertion buys nothing; the message is Box's `error_description`."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion whose signature holds; its claims are not judged yet."""

    claims: dict[str, Any]

    @property
    def jti(self) -> str:
        """Return the `jti`, "" if it is no string."""
        jti = self.claims.get("jti")
        return jti if isinstance(jti, str) else ""


def read(compact: str, key_id: str, key: rsa.RSAPublicKey) -> Assertion:
    """
    Return the assertion if the key with this id signed it.

    Raises AssertionRejected. A missing `kid` is accepted: the app has one key pair.
    """
    try:
        head = jwt.get_unverified_header(compact)
        if head.get("kid", key_id) != key_id:
            raise AssertionRejected("OAuth JWT signature verification failed")
        claims = jwt.decode(
            compact,
            key,
            algorithms=list(ALGORITHMS),
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.PyJWTError:
        raise AssertionRejected("OAuth JWT signature verification failed") from None
    return Assertion(claims)


def judge(
    assertion: Assertion, client_id: str, used_jtis: Container[str], now: float
) -> None:
    """Raise AssertionRejected unless the claims hold at *now*, without any leeway."""
    claims = assertion.claims
    if claims.get("iss") != client_id:
        raise AssertionRejected("Please check the 'iss' claim.")
    if claims.get("aud") != AUDIENCE:
        raise AssertionRejected("Please check the 'aud' claim.")
    _judge_times(claims, now)
    if len(assertion.jti) not in JTI_LENGTHS:
        raise AssertionRejected("Please check the 'jti' claim.")
    if assertion.jti in used_jtis:
        raise AssertionRejected(
            "Please check the 'jti' claim. A unique 'jti' value is required."
        )


def _judge_times(claims: dict[str, Any], now: float) -> None:
    expiry = claims.get("exp")
    if expiry is None:
        raise AssertionRejected("Please check the 'exp' claim.")
    if not isinstance(expiry, int) or isinstance(expiry, bool):
        raise AssertionRejected("Please check the 'exp' claim. Should be an integer")
    if expiry <= now:
        raise AssertionRejected(
            "Current date/time MUST be before the expiration date/time "
            "listed in the 'exp' claim"
        )
    if expiry > now + LONGEST_LIFE:
        raise AssertionRejected(
            "Please check the 'exp' claim. The 'exp' value exceeds "
            "the maximum value of 60 seconds beyond the issue time."
        )
    for name in ("nbf", "iat"):
        value = claims.get(name)
        if value is not None and not (isinstance(value, int | float) and value <= now):
            # Two blanks before "listed", as Box sends it (box-node-sdk#96).
            raise AssertionRejected(
                "Current date/time MUST be after or equal to the not-before "
                "date/time  listed in the 'nbf' or 'iat' claim"
            )
