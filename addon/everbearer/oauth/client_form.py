"""What a client's own token request redeems, read from its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from everbearer.secret import Secret

FORM_LIMIT: Final = 64 * 1024
"""Bytes; token requests have a few hundred, with an assertion a few thousand."""

_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = 100


@dataclass(frozen=True, slots=True)
class Redeem:
    """
    A refresh token about to be redeemed (RFC 6749 §6).

    `client_id` is "" where the form has none (HTTP Basic, RFC 6749 §2.3.1).
    """

    refresh_token: Secret
    client_id: str


def is_form(content_type: str) -> bool:
    """Tell whether a body of this Content-Type is a form."""
    return content_type.partition(";")[0].strip(" \t").lower() == _FORM


def redeem_in(body: bytes) -> Redeem | None:
    """
    Return what the form redeems, None where it redeems no refresh token.

    None as well for what no server may act on: a form that is not one, or names
    a parameter twice (RFC 6749 §3.2).
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError:
        return None
    fields = dict(pairs)
    if len(fields) != len(pairs) or fields.get("grant_type") != "refresh_token":
        return None
    refresh_token = fields.get("refresh_token", "")
    if not refresh_token:
        return None
    return Redeem(Secret(refresh_token), fields.get("client_id", ""))
