"""
A record and the row in which it is stored.

The row's version and schema lie beside the sealed record, where a query can see
them, and are authenticated with it and with the digest of the grant's key: a row
that was altered, moved to another grant or given another version does not open.
An older copy of a whole row does; only a store that nobody else can write
prevents that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores.contract import Examined, Intent, Record, Trouble, TroubleKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.stores.cipher import Cipher
    from everbearer.stores.contract import GrantKey

SCHEMA: Final = 1
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Row:
    """A record as a store keeps it."""

    version: int
    schema: int
    sealed: bytes


def seal(cipher: Cipher, key: GrantKey, record: Record) -> Row:
    """Return the row of *record*, bound to its version and its grant."""
    associated = _associated(key.digest, record.version, SCHEMA)
    return Row(record.version, SCHEMA, cipher.seal(encode(record), associated))


def unseal(cipher: Cipher, key: GrantKey, row: Row, *, remedy: str) -> Record:
    """Return the record of *row*; raises StoreError as `open_row`."""
    return open_row(cipher, key.digest, row, remedy=remedy)


def open_row(cipher: Cipher, digest: str, row: Row, *, remedy: str) -> Record:
    """
    Return the record of *row*, whoever's grant has that digest.

    Raises StoreError with the hint *remedy* where it does not authenticate, and
    another where a newer everbearer wrote it.
    """
    name = f"record {digest[:8]}"
    if row.schema > SCHEMA:
        raise StoreError(
            f"{name} was written by a newer everbearer "
            f"(schema {row.schema}, this one knows {SCHEMA})",
            hint="use the newer everbearer; this one leaves the record as it is",
        )
    try:
        plaintext = cipher.open(
            row.sealed, _associated(digest, row.version, row.schema)
        )
    except StoreError as error:
        raise StoreError(
            f"{name} {error.message}: it was damaged, altered or moved",
            hint=remedy,
        ) from None
    return decode(plaintext, row.version)


def examined(
    cipher: Cipher, digest: str, row: Row, *, remedy: Callable[[str], str]
) -> Examined:
    """Return whether *row* opens; *remedy* tells of a digest what `open_row` does."""
    if not _DIGEST.match(digest):
        return Examined(
            digest,
            StoreError(
                "a record's digest is none: it was damaged or altered",
                hint="bring the store back from a copy",
            ),
        )
    try:
        open_row(cipher, digest, row, remedy=remedy(digest))
    except StoreError as error:
        return Examined(digest, error)
    return Examined(digest, None)


def encode(record: Record) -> bytes:
    """Return *record* as JSON, secrets in clear, without its version."""
    intent, trouble = record.intent, record.trouble
    document = {
        "access_token": _reveal(record.access_token),
        "issued_at": record.issued_at,
        "expires_at": record.expires_at,
        "refresh_token": _reveal(record.refresh_token),
        "refresh_issued_at": record.refresh_issued_at,
        "intent": intent and [intent.at, intent.refresh_fingerprint],
        "trouble": trouble
        and {
            "kind": trouble.kind.value,
            "message": trouble.message,
            "since": trouble.since,
            "attempts": trouble.attempts,
            "not_before": trouble.not_before,
            "grant": trouble.grant,
            "hint": trouble.hint,
            "wait": trouble.wait,
        },
        "earlier_refresh_tokens": [
            token.reveal() for token in record.earlier_refresh_tokens
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode(plaintext: bytes, version: int) -> Record:
    """Return the record that `encode` wrote; it has been authenticated before."""
    document: dict[str, Any] = json.loads(plaintext)
    intent, trouble = document["intent"], document["trouble"]
    return Record(
        version=version,
        access_token=_secret(document["access_token"]),
        issued_at=document["issued_at"],
        expires_at=document["expires_at"],
        refresh_token=_secret(document["refresh_token"]),
        refresh_issued_at=document["refresh_issued_at"],
        intent=intent and Intent(*intent),
        trouble=trouble and Trouble(**trouble | {"kind": TroubleKind(trouble["kind"])}),
        # Older records have one or none.
        earlier_refresh_tokens=tuple(map(Secret, _earlier(document))),
    )


def _earlier(document: dict[str, Any]) -> list[str]:
    one = document.get("earlier_refresh_token")
    found: list[str] = document.get("earlier_refresh_tokens", [one] if one else [])
    return found


def _associated(digest: str, version: int, schema: int) -> bytes:
    return json.dumps([digest, version, schema]).encode("ascii")


def _reveal(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _secret(value: str | None) -> Secret | None:
    return None if value is None else Secret(value)
