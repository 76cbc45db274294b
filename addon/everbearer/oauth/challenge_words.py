"""What a 401 asks for, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.oauth.challenge import parse
from everbearer.oauth.server_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from everbearer.oauth.challenge import Challenge

_ERRORS: Final[Mapping[str, str]] = {
    "invalid_token": "the token has ended, was revoked, or is not of this server",
    "insufficient_scope": "the token may not do this",
    "invalid_request": "the request was put together wrongly",
}
"""RFC 6750 §3.1."""

_MOST: Final = 4
"""Challenges that are told; a server that sends more is not worth the room."""


def in_words(field_values: Iterable[str]) -> str:
    """Return the challenges of WWW-Authenticate in one line, "" for none."""
    return "; ".join(_words(each) for each in parse(field_values)[:_MOST])


def _words(challenge: Challenge) -> str:
    told = [shown(challenge.scheme.capitalize())]
    params = challenge.params
    if error := params.get("error", ""):
        meaning = _ERRORS.get(error)
        told.append(f"{shown(error)} ({meaning})" if meaning else shown(error))
    if said := params.get("error_description", ""):
        told.append(f'the server says "{shown(said)}"')
    if scope := params.get("scope", ""):
        told.append(f"scope {shown(scope)}")
    if realm := params.get("realm", ""):
        told.append(f"realm {shown(realm)}")
    return ", ".join(told)
