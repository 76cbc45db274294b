"""
What is kept of a password, and what verifies one.

`Argon2Hash` is for passwords that people choose and files hold; `Digest` for a
random one of a single run, which no file holds and nobody can guess. argon2 is
imported by who has such a hash: most proxies have no users.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import Final, Protocol

from everbearer.secret import Secret

_LEAST: Final = 35840
"""
KiB times passes: the cheapest that OWASP's Password Storage Cheat Sheet
recommends (7 MiB and 5 passes; 46 MiB and one is dearer), as of 2025.
"""

_MOST_MEMORY: Final = 256 * 1024  # KiB; two at once are computed
_MOST_PASSES: Final = 16
_MOST_LANES: Final = 16
_SALT: Final = 16
_HASH: Final = 32
_ENCODED: Final = 512
_VERSION: Final = 19
_PHC: Final = re.compile(
    r"\$argon2id\$v=19\$m=[1-9][0-9]*,t=[1-9][0-9]*,p=[1-9][0-9]*"
    r"\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}\Z"
)


class Password(Protocol):
    """
    One password as it is kept; two are equal if they accept the same one.

    `is_slow` tells that `verify` computes for long, and on purpose.
    """

    @property
    def is_slow(self) -> bool:
        """Whether `verify` belongs off the event loop."""

    @property
    def identity(self) -> str:
        """What tells this one from every other; not to be shown."""

    def verify(self, password: Secret) -> bool:
        """Tell in constant time whether it is this one; fails closed."""


@dataclass(frozen=True, slots=True)
class Argon2Hash:
    """
    An argon2id hash in PHC form (RFC 9106).

    Raises ValueError for any other, and for parameters too cheap to protect a
    password or too dear to compute for everybody who tries one.
    """

    phc: Secret

    def __post_init__(self) -> None:
        import argon2  # noqa: PLC0415 - see above

        text = self.phc.reveal()
        if len(text) > _ENCODED or not _PHC.match(text):
            raise ValueError("not an argon2id hash in PHC form")
        try:
            found = argon2.extract_parameters(text)
        except argon2.exceptions.InvalidHashError:
            raise ValueError("not an argon2id hash in PHC form") from None
        if found.memory_cost * found.time_cost < _LEAST:
            raise ValueError("too cheap: whoever reads the hash guesses the password")
        if (
            found.memory_cost > _MOST_MEMORY
            or found.time_cost > _MOST_PASSES
            or found.parallelism > _MOST_LANES
        ):
            raise ValueError("too dear: whoever tries passwords stops the proxy")

    @property
    def is_slow(self) -> bool:
        """It is: some 50 ms and 64 MiB."""
        return True

    @property
    def identity(self) -> str:
        """The hash itself."""
        return self.phc.reveal()

    @property
    def cost(self) -> int:
        """What verifying takes, to compare with others: KiB times passes."""
        import argon2  # noqa: PLC0415 - see above

        found = argon2.extract_parameters(self.phc.reveal())
        return found.memory_cost * found.time_cost

    def verify(self, password: Secret) -> bool:
        """Tell whether it is this one; argon2 compares in constant time."""
        import argon2  # noqa: PLC0415 - see above

        try:
            return argon2.PasswordHasher().verify(self.phc.reveal(), password.reveal())
        except (
            argon2.exceptions.VerificationError,
            argon2.exceptions.InvalidHashError,
        ):
            return False

    def decoy(self) -> Argon2Hash:
        """Return what costs as much, and which nothing satisfies but by chance."""
        head = self.phc.reveal().rsplit("$", 2)[0]
        return Argon2Hash(Secret(f"{head}${_random(_SALT)}${_random(_HASH)}"))


@dataclass(frozen=True, slots=True)
class Digest:
    """
    The SHA-256 of a password of 256 random bits.

    That is enough for such a one: there is nothing to guess.
    """

    sha256: bytes

    @classmethod
    def of(cls, password: Secret) -> Digest:
        """Return what accepts *password*, which was made at random."""
        return cls(hashlib.sha256(password.reveal().encode()).digest())

    @property
    def is_slow(self) -> bool:
        """It is not."""
        return False

    @property
    def identity(self) -> str:
        """The digest."""
        return self.sha256.hex()

    def verify(self, password: Secret) -> bool:
        """Tell whether it is this one."""
        return hmac.compare_digest(self.sha256, Digest.of(password).sha256)


def hashed(password: Secret) -> Argon2Hash:
    """Return the hash of a password (RFC 9106 §4: 64 MiB, 3 passes); blocks."""
    import argon2  # noqa: PLC0415 - see above

    return Argon2Hash(Secret(argon2.PasswordHasher().hash(password.reveal())))


def random_password() -> Secret:
    """Return 256 random bits as text that needs no escaping anywhere."""
    return Secret(secrets.token_urlsafe(32))


def _random(length: int) -> str:
    return b64encode(secrets.token_bytes(length)).decode().rstrip("=")
