"""
A token request or its answer as people read it: decoded, with times in words.

What may be a secret is a mark, whoever wrote it. Where all that is one is a mark
already (oauth.shown), nothing else is masked.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from everbearer.oauth.shown import LIVES, mask, shown_members
from everbearer.spans import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

type Local = Callable[[float], str]
"""Seconds since the epoch → the time of day where somebody reads it."""

_SAID: Final = frozenset(
    {
        *("grant_type", "client_id", "scope", "redirect_uri", "response_type"),
        *("audience", "resource", "token_type_hint", "box_subject_type"),
        *("box_subject_id", "client_assertion_type", "requested_token_type"),
        *("subject_token_type", "actor_token_type"),
    }
)
"""Fields of a form that hold no secret, of RFC 6749, 7009, 7521, 8693 and Box."""

_SIGNED: Final = frozenset({"assertion", "client_assertion"})
_PARTS: Final = 3  # of a JWS in its compact form (RFC 7515 §3.1)
_INSTANTS: Final = frozenset({"exp", "iat", "nbf"})  # RFC 7519 §4.1


def is_token_form(body: str) -> bool:
    """Tell whether *body* is a token request's (RFC 6749 §4)."""
    return any(name == "grant_type" for name, _ in _fields(body))


def read_form(body: str, at: float, local: Local, *, masked: bool) -> str:
    """Return the fields of a form that was sent *at*, a line each."""
    return "\n".join(_form_lines(body, at, local, masked=masked))


def read_answer(body: bytes, at: float, local: Local, *, masked: bool) -> str:
    """
    Return the members of an answer, a line each; ValueError where it has none.

    *at* is when the request was sent: from then on a token ages.
    """
    members = _object(body)
    if not masked:
        members = shown_members(members)
    lines = []
    for name, value in members.items():
        words = _life(value, at, local) if name in LIVES else ""
        lines.append(f"{_text(name)}: {_text(value)}{words}")
    return "\n".join(lines)


def is_token_answer(body: bytes) -> bool:
    """Tell whether *body* is a token endpoint's (RFC 6749 §5.1)."""
    try:
        return "access_token" in _object(body)
    except ValueError:
        return False


def is_error_answer(body: bytes) -> bool:
    """Tell whether *body* may be that of a token request that failed (§5.2)."""
    try:
        return isinstance(_object(body).get("error"), str)
    except ValueError:
        return False


def _form_lines(body: str, at: float, local: Local, *, masked: bool) -> Iterator[str]:
    for name, value in _fields(body):
        if name in _SIGNED and value.count(".") == _PARTS - 1:
            yield f"{_text(name)}:"
            yield from _jwt_lines(value, at, local)
        else:
            said = masked or name in _SAID
            yield f"{_text(name)}: {_text(value if said else mask(value))}"


def _jwt_lines(token: str, at: float, local: Local) -> Iterator[str]:
    """Yield header and claims; without the signature they prove nothing."""
    *parts, signature = token.split(".")
    for title, part in zip(("header", "claims"), parts, strict=True):
        try:
            members = _object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            yield f"  {title}: {mask(part)}"
            continue
        yield f"  {title}:"
        for name, value in members.items():
            words = _instant(value, at, local) if name in _INSTANTS else ""
            yield f"    {_text(name)}: {_text(value)}{words}"
    yield f"  signature: {mask(signature)}"


def _life(value: Any, at: float, local: Local) -> str:
    seconds = _number(value)
    if seconds is None:
        return ""
    return f" ({duration(seconds)}, until {local(at + seconds)})"


def _instant(value: Any, at: float, local: Local) -> str:
    instant = _number(value)
    if instant is None:
        return ""
    away = instant - at
    when = "after" if away >= 0 else "before"
    return f" ({local(instant)}, {duration(abs(away))} {when} the request)"


def _number(value: Any) -> float | None:
    """Return a sensible number of seconds, which some servers write as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < _FAR else None


_FAR: Final = 1e11
"""Seconds; what is farther away has no date."""


def _text(value: Any) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value)


def _fields(body: str) -> list[tuple[str, str]]:
    return parse_qsl(body, keep_blank_values=True)


def _object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that *body* is; ValueError where it is none."""
    try:
        members = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(members, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the value is wrong
    return members
