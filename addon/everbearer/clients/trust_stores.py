"""Certificates in the forms that client tools read: PEM bundles, Java's trust store."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----\s(.*?)"
    rb"-----END (?:TRUSTED |X509 )?CERTIFICATE-----",
    re.DOTALL,
)
JAVA_PASSWORD: Final = "changeit"  # noqa: S105 - Java's own, known to everybody
"""A trust store holds nothing secret; Java wants a password to check its digest."""

# The format JKS as every Java reads it: sun.security.provider.JavaKeyStore.
_MAGIC: Final = 0xFEEDFEED
_VERSION: Final = 2
_TRUSTED: Final = 2
_WHITENER: Final = b"Mighty Aphrodite"


def bundle(parts: Iterable[bytes]) -> bytes:
    """Return one PEM file of all certificates in the parts, each once."""
    ders = dict.fromkeys(der for part in parts for der in certificates_in(part))
    return b"".join(_pem(der) for der in ders)


def certificates_in(pem: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a PEM file in DER form; what is none is left out."""
    found = []
    for block in _BLOCK.finditer(pem):
        try:
            found.append(base64.b64decode(b"".join(block[1].split()), validate=True))
        except binascii.Error:
            continue
    return tuple(found)


def java_trust_store(ders: Iterable[bytes], at: float) -> bytes:
    """Return a trust store in the format JKS; *at* is its date (a POSIX time)."""
    certificates = tuple(dict.fromkeys(ders))
    out = bytearray(struct.pack(">III", _MAGIC, _VERSION, len(certificates)))
    for number, der in enumerate(certificates):
        out += struct.pack(">I", _TRUSTED) + _utf(f"everbearer-{number}")
        out += struct.pack(">Q", int(at * 1000)) + _utf("X.509")
        out += struct.pack(">I", len(der)) + der
    key = JAVA_PASSWORD.encode("utf-16-be") + _WHITENER
    # The format's own digest, against accidents and not against forgers.
    return bytes(out) + hashlib.sha1(key + out, usedforsecurity=False).digest()


def _utf(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def _pem(der: bytes) -> bytes:
    body = base64.b64encode(der)
    lines = b"\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % lines
