"""RSA keys for tests, made once, since making one is slow."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

PASSPHRASE = "corréct horse"
PKCS8 = PrivateFormat.PKCS8
TRADITIONAL = PrivateFormat.TraditionalOpenSSL


def rsa_key(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    """Return the same key each time for the same arguments."""
    return _made(bits, which)


@cache
def _made(bits: int, which: int) -> rsa.RSAPrivateKey:
    del which
    return rsa.generate_private_key(65537, bits)


def pem(form: PrivateFormat = PKCS8, passphrase: str = "", bits: int = 2048) -> str:
    """Write the key as PEM, encrypted where there is a passphrase."""
    encryption = (
        BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    )
    return rsa_key(bits).private_bytes(Encoding.PEM, form, encryption).decode()
