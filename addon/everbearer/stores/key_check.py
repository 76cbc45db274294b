"""
Whether a key is the one that a store was made with.

A store keeps, beside its records, the kind of its key and a constant sealed with
it: a wrong key is found before anything is read or written with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.stores.cipher import Cipher

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.stores.keys import KeyPlace

_CHECK: Final = b"everbearer"


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What a store tells of its key: the kind, and the constant sealed with it."""

    kind: str
    sealed: bytes

    @property
    def store(self) -> str:
        """A name of the store that stays its own wherever it is moved; no secret."""
        return self.sealed.hex()  # with a nonce of its own


def first_key(key: KeyPlace) -> tuple[Cipher, KeyCheck]:
    """
    Return the cipher for a store that is being made; its key is made if missing.

    A key that is there already was made for this store by a process that died
    before its commit, or is kept by the user. Raises StoreError.
    """
    cipher = Cipher(key.read() or key.make())
    return cipher, KeyCheck(key.kind, cipher.seal(_CHECK, _associated(key.kind)))


def known_key(
    name: str, check: KeyCheck, key: KeyPlace, *, count: Callable[[], int], away: str
) -> Cipher:
    """
    Return the cipher of the store *name*; StoreError unless *key* is its own.

    *count* tells how many records it has, *away* how to begin without them.
    """
    if check.kind != key.kind:
        raise StoreError(
            f"{name} was made with a key of the kind {check.kind}, "
            f"and the configuration names {key}",
            hint=f"set [store] key to the {check.kind} that has it",
        )
    secret = key.read()
    if secret is None:
        raise StoreError(
            f"the key of {name} is missing: {key}; without it the {count()} records "
            "there cannot be read, and no other key is made for them",
            hint=f"bring the key back from a copy, or {away}: "
            "every grant then needs its seed again, and every login is made again",
        )
    cipher = Cipher(secret)
    try:
        cipher.open(check.sealed, _associated(check.kind))
    except StoreError:
        raise StoreError(
            f"{key} holds another key than the one {name} was made with",
            hint="bring the right key back, or name the store that this key is for",
        ) from None
    return cipher


def _associated(kind: str) -> bytes:
    return json.dumps(["key check", kind]).encode("ascii")
