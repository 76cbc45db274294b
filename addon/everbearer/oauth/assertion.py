"""
A signed statement of who asks: the JWT of RFC 7523, and the key that signs it.

What loads keys and signs is imported when a grant does: most have no such key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from everbearer.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ALGORITHMS: Final = ("RS256", "RS384", "RS512")
"""What Box accepts (developer.box.com, authentication/jwt, 2026-02-16)."""

MIN_KEY_BITS: Final = 2048
"""RFC 7518 §3.3: a key of size 2048 bits or larger MUST be used."""

_MARK: Final = "PRIVATE KEY-----"
_ENCRYPTED: Final = "ENCRYPTED"  # in both PEM forms: PKCS#8's label, Proc-Type


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """
    An RSA key that is fit to sign; `fingerprint` is that of its public half.

    Two are equal when they are the same key, however the PEM was wrapped.
    """

    key: RSAPrivateKey = field(repr=False, compare=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        if self.key.key_size < MIN_KEY_BITS:
            raise ValueError(
                f"the private key has {self.key.key_size} bits;"
                f" make one with at least {MIN_KEY_BITS}"
            )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
            Encoding,
            PublicFormat,
        )

        public = self.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashlib.sha256(public).hexdigest()
        object.__setattr__(self, "fingerprint", digest[:16])


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    A key as the app that it belongs to knows it.

    `key_id` is "" where the app has one key only.
    """

    key_id: str
    private_key: PrivateKey
    algorithm: str = ALGORITHMS[0]


def load_private_key(pem: Secret, passphrase: Secret | None) -> PrivateKey:
    r"""
    Load an RSA private key from PEM, PKCS#8 or traditional, encrypted or not.

    A passphrase that is not needed is ignored; an empty one is none. Line
    ends may be written as `\n`, as environment files have them. ValueError
    says what is wrong and never quotes the key.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - see above
        RSAPrivateKey,
    )

    text = pem.reveal().replace("\\r", "").replace("\\n", "\n")
    if _MARK not in text:
        raise ValueError("this is no private key in PEM form")
    encrypted = _ENCRYPTED in text
    if encrypted and not passphrase:
        raise ValueError("the private key is encrypted; give its passphrase")
    key = _loaded(text, passphrase if encrypted else None)
    if key is None and encrypted:
        raise ValueError("the passphrase is wrong or the private key is damaged")
    if key is None:
        raise ValueError("the private key is damaged")
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the private key is not an RSA key")  # noqa: TRY004 - the value is wrong, not the caller
    return PrivateKey(key)


def build_assertion(
    key: PrivateKey,
    *,
    issuer: str,
    subject: str,
    subject_type: str,
    audience: str,
    jti: str,
    expires_at: int,
    key_id: str,
    algorithm: str,
) -> Secret:
    """
    Sign the assertion that Box wants (RFC 7523 §3 and `box_sub_type`).

    `expires_at` is in seconds since the epoch on the server's clock. There is no
    `iat`: Box allows it no clock skew at all.
    """
    claims = {
        "iss": issuer,
        "sub": subject,
        "box_sub_type": subject_type,
        "aud": audience,
        "jti": jti,
        "exp": expires_at,
    }
    import jwt  # noqa: PLC0415 - see above

    headers = {"typ": "JWT"} | ({"kid": key_id} if key_id else {})
    return Secret(jwt.encode(claims, key.key, algorithm, headers))


def _loaded(text: str, passphrase: Secret | None) -> object | None:
    """
    Return the key, None where there is none to be had.

    A value instead of the library's exception: what that quotes is not ours to
    judge, and it must not become the context of another.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
        load_pem_private_key,
    )

    try:
        password = None
        if passphrase is not None:
            # As the environment and the file system had it, byte for byte.
            password = passphrase.reveal().encode("utf-8", "surrogateescape")
        return load_pem_private_key(text.encode(), password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
