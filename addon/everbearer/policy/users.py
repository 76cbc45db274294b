"""
Who asks: what a client says of itself, and who is let in.

Basic credentials (RFC 7617) in `Proxy-Authorization` at an explicit proxy. A
reverse listener, whose clients' Authorization is meant for the server, has a
field of its own. What is said is verified elsewhere; here it is only read.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.policy.verdict import Refuse
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everbearer.policy.rules import RuleSet
    from everbearer.policy.view import RequestView

PROXY_FIELD: Final = "Proxy-Authorization"
REVERSE_FIELD: Final = "Everbearer-Authorization"
FIELDS: Final = (PROXY_FIELD, REVERSE_FIELD)
"""What never leaves towards a server, whoever is asked for it."""

PROXY_CHALLENGE: Final = 'Basic realm="everbearer", charset="UTF-8"'
REVERSE_CHALLENGE: Final = f'Everbearer realm="everbearer", field="{REVERSE_FIELD}"'
"""RFC 9110 §15.5.2 wants one; `Basic` would have clients send Authorization."""

# RFC 7617 §2: no colon. What may stand in a log line, a table and a field.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")
_SHAPE: Final = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2}) *\Z")
_LONGEST: Final = 2048
"""Of a field's value: some 1 500 characters of name and password."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Claim:
    """A name and a password, as a client sent them: nothing is verified yet."""

    name: str
    password: Secret


def is_name(text: str) -> bool:
    """Tell whether a user may be called so."""
    return _NAME.match(text) is not None


def claim(values: Sequence[str], *, reverse: bool) -> Claim | Refuse:
    """Return what the values of the listener's field say; pure, never raises."""
    if not values:
        return refused(
            "user_required",
            "this listener serves its users only, and the request names none",
            reverse=reverse,
        )
    found = _read(values[0]) if len(values) == 1 else None
    return found or refused(
        "user_malformed",
        f"the request's {_field(reverse)} is not one field of Basic credentials",
        reverse=reverse,
    )


def wrong(*, reverse: bool) -> Refuse:
    """Refuse a name that nobody has, or a password that is another's: alike."""
    return refused("user_wrong", "wrong user name or password", reverse=reverse)


def unfit(view: RequestView, rules: RuleSet) -> Refuse | None:
    """Refuse who has not shown to be a user, where there are users."""
    if view.user is not None or not rules.guarded:
        return None
    found = claim((), reverse=bool(view.listener.reverse))
    assert isinstance(found, Refuse)
    return found


def gone() -> Refuse:
    """Refuse, inside a tunnel, whose user was removed or has another password."""
    # A 407 in there would be taken for the server's.
    return Refuse(
        403,
        "user_gone",
        "who opened this connection is no user any more, or has another password",
        "connect anew, with the user's password of now",
    )


def beyond() -> Refuse:
    """Refuse who comes from beyond this machine, where there are no users."""
    return Refuse(
        403,
        "loopback_only",
        "there are no proxy users, and without them everbearer serves this machine "
        "only",
        "connect from this machine, or configure [[proxy.users]]",
    )


def crowded() -> Refuse:
    """Refuse where too many passwords wait to be verified."""
    return Refuse(
        503,
        "users_waiting",
        "too many passwords wait to be verified",
        "try again in a moment",
    )


def refused(code: str, reason: str, *, reverse: bool) -> Refuse:
    """Return the refusal: 407 at an explicit proxy, 401 at a reverse listener."""
    hint = (
        f"send {REVERSE_FIELD}: Basic with base64 of name:password"
        if reverse
        else "give the tool the proxy's user: curl --proxy-user NAME"
    )
    return Refuse(401 if reverse else 407, code, reason, hint)


def _field(reverse: bool) -> str:
    return REVERSE_FIELD if reverse else PROXY_FIELD


def _read(value: str) -> Claim | None:
    match = _SHAPE.match(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    try:
        decoded = b64decode(match[1], validate=True)
        text = decoded.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    # Decoded all the same are bits left over, and by old Pythons padding in excess.
    if b64encode(decoded).decode() != match[1]:
        return None
    name, colon, password = text.partition(":")
    if not colon or not password or _CONTROL.search(text) or not is_name(name):
        return None
    return Claim(name, Secret(password))
