"""
What is said to a token endpoint, and what it answers, fit to be kept and shown.

What may be a secret is replaced by a mark with its fingerprint; of a JWT the
signature alone, without which it proves nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from everbearer.oauth.server_text import shown
from everbearer.secret import Secret, fingerprint, marked, redaction_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.oauth.grants.contract import Form
    from everbearer.oauth.token_response import TokenAnswer

_PLAIN: Final = frozenset({"token_type", "scope", "error", "issued_token_type"})
_TOLD: Final = frozenset({"error_description", "error_uri"})
"""Members of an answer whose text is the server's, and for people."""

LIVES: Final = frozenset({"expires_in", "refresh_token_expires_in"})
"""Members that say how long something lives, in seconds."""

_FIELDS: Final = ("content-type", "date", "retry-after")
_PARTS: Final = 3  # of a JWS in its compact form (RFC 7515 §3.1)


def shown_form(form: Form) -> tuple[tuple[str, str], ...]:
    """Return the form's fields; every Secret is a mark."""
    return tuple(
        (name, _masked(name, value.reveal()) if isinstance(value, Secret) else value)
        for name, value in form
    )


def shown_fields(answer: TokenAnswer) -> tuple[tuple[str, str], ...]:
    """Return the few header fields of *answer* that are worth a look."""
    return tuple(
        (name, shown(answer.fields[name])) for name in _FIELDS if name in answer.fields
    )


def shown_answer(answer: TokenAnswer) -> str:
    """Return the members of *answer* as JSON, "" where it is no JSON object."""
    try:
        members = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(members, dict):
        return ""
    return json.dumps(shown_members(members))


def shown_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of an answer; what may be a secret is a mark."""
    return {
        name if name in LIVES else shown(name): _member(name, value)
        for name, value in members.items()
    }


def mask(value: str) -> str:
    """Return the mark of a secret, of a mark the mark itself."""
    return value if marked(value) else redaction_mark(fingerprint(value))


def _member(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    if name in _PLAIN or name in _TOLD or not isinstance(value, str):
        return shown(text)
    return mask(text)


def _masked(name: str, value: str) -> str:
    parts = value.split(".")
    if name == "assertion" and len(parts) == _PARTS:
        return ".".join((*parts[:-1], mask(parts[-1])))
    return mask(value)
