"""Encryption of what is stored: AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from everbearer.errors import StoreError
from everbearer.secret import Secret

_KEY_BYTES: Final = 32
# SP 800-38D §8.3 allows a key 2**32 seals with random nonces of 96 bits; a
# store that saves every minute gets there in eight thousand years.
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


def new_key() -> Secret:
    """Return a new key: 32 random bytes in base64."""
    return Secret(base64.b64encode(os.urandom(_KEY_BYTES)).decode())


def key_bytes(key: Secret) -> bytes:
    """Return the bytes of a key; StoreError unless it is 32 bytes in base64."""
    try:
        raw = base64.b64decode(key.reveal(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise StoreError("a key is 32 bytes in base64, and this is not")
    return raw


class Cipher:
    """Seals bytes so that only the holder of the key reads or makes them."""

    __slots__ = ("_aead",)

    def __init__(self, key: Secret) -> None:
        self._aead = AESGCM(key_bytes(key))

    def seal(self, plaintext: bytes, associated: bytes) -> bytes:
        """Return nonce, ciphertext and tag; *associated* is bound, not contained."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext; StoreError unless *sealed* was made with both."""
        if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
            raise StoreError("does not authenticate")
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, rest, associated)
        except InvalidTag:
            raise StoreError("does not authenticate") from None
