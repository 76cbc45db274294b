"""Parameters of token requests whose values are secrets, wherever they are sent."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from everbearer.oauth.client_form import FORM_LIMIT

SECRETS: Final = frozenset(
    {
        "client_secret",  # RFC 6749 §2.3.1
        "code",  # §4.1.3
        "password",  # §4.3.2
        "access_token",  # RFC 6750 §2.2
        "refresh_token",  # RFC 6749 §6
        "token",  # RFC 7009 §2.1
        "assertion",  # RFC 7521 §4.1
        "client_assertion",  # §4.2
        "code_verifier",  # RFC 7636 §4.5
        "subject_token",  # RFC 8693 §2.1
        "actor_token",
    }
)


def holds_secret(form: bytes, names: frozenset[str]) -> bool:
    """
    Tell whether a form has a parameter of *names*, however spelt.

    True of one too long to be looked at: to take it for one costs less.
    """
    if len(form) > FORM_LIMIT:
        return True
    wanted = {name.encode() for name in names}
    return any(_name_of(part) in wanted for part in form.split(b"&"))


def _name_of(part: bytes) -> bytes:
    name = part.partition(b"=")[0].replace(b"+", b" ")
    return unquote_to_bytes(name).strip().lower()
