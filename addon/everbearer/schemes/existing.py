"""What a client itself put into Authorization."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from everbearer.oauth.challenge import parse
from everbearer.policy.view import Authorization, Existing
from everbearer.secret import fingerprint, marked

if TYPE_CHECKING:
    from collections.abc import Callable

_BEARER: Final = re.compile(r"\Abearer(?: +|\Z)", re.IGNORECASE)
# Variables that a tool did not resolve: {{postman}}, {format}, $SHELL, ${SHELL},
# <documentation>, %CMD%; and what languages print for "nothing". The first kind
# never is a token: RFC 6750 §2.1 has none of { } $ < > %.
_PLACEHOLDER: Final = re.compile(
    r"\{\{[^{}]*\}\}"
    r"|\{[^{}]*\}"
    r"|\$\{[^{}]*\}"
    r"|\$[A-Za-z_][A-Za-z0-9_]*"
    r"|<[^<>]*>"
    r"|%[A-Za-z_][A-Za-z0-9_]*%"
    r"|undefined|null|None|nil|\[object Object\]"
)


def classify(
    values: tuple[str, ...],
    *,
    placeholder: str,
    issued: Callable[[str], frozenset[str]],
    redeemed: Callable[[str], frozenset[str]],
    rejected_for: Callable[[str], frozenset[str]],
) -> Authorization:
    """
    Tell what the values of the field Authorization are.

    `placeholder` is the configured one, "" for none. Of a token's fingerprint
    `issued` tells for which profiles it was handed out by us, `redeemed` for which
    a client got it by a refresh token of ours, `rejected_for` for which it was
    answered 401 before. Never raises; linear in the length.
    """
    if not values:
        return Authorization(Existing.NONE)
    if len(values) > 1:
        return Authorization(Existing.SEVERAL)
    value = values[0].strip(" \t")
    token = _BEARER.sub("", value, count=1)
    if redacted := marked(token):
        return Authorization(Existing.REDACTED, redacted)
    if unusable := _unusable(value, token, placeholder):
        return Authorization(unusable)
    mark = fingerprint(token)
    if profiles := issued(mark):
        return Authorization(Existing.OURS, mark, issued_for=profiles)
    return Authorization(Existing.FOREIGN, mark, rejected_for(mark), redeemed(mark))


def _unusable(value: str, token: str, placeholder: str) -> Existing | None:
    if not token:
        return Existing.EMPTY
    if _PLACEHOLDER.fullmatch(token) or (placeholder and placeholder in {token, value}):
        return Existing.PLACEHOLDER
    # RFC 9110 §11.6.2: one credential. A joined pair is two fields in one line.
    return Existing.SEVERAL if len(parse((value,))) > 1 else None
