"""Tokens, and what else is secret of a request's head, leave it before it is saved."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from everbearer.oauth.secret_parameters import SECRETS
from everbearer.policy.query import name_of
from everbearer.providers import PROVIDERS
from everbearer.proxy import internals
from everbearer.secret import fingerprint, marked, redaction_mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitmproxy.http import Headers, HTTPFlow

    from everbearer.schemes.contract import Scheme


_BEARER: Final = "bearer "

MASKED: Final = "****"
"""For what a fingerprint would give away: a password may be guessed from it."""

_PRESETS: Final = tuple(PROVIDERS.values())
_FIELDS: Final = {name for each in _PRESETS for name in each.secret_fields}
PARAMETERS: Final = SECRETS.union(*(each.secret_parameters for each in _PRESETS))
"""Those of queries and forms that are secret, by name."""

type _Field = tuple[bytes, bytes]


def redact(flow: HTTPFlow, scheme: Scheme) -> None:
    """
    Overwrite what *scheme* owns of the request by marks with fingerprints.

    What a provider or OAuth has in it besides that is secret is masked as well.
    Also in the state from before an edit, which is saved with the flow.
    """
    redact_fields(flow.request.headers, scheme)
    if "?" in flow.request.path:
        flow.request.path = redacted_path(flow.request.path, scheme)
    backup = internals.backup_of(flow)
    if backup is not None:
        _redact_state(backup, scheme)


def strip(flow: HTTPFlow) -> None:
    """Take away whatever may hold a token; for where `redact` has failed."""
    flow.request.headers.fields = ()
    flow.request.data.path = b""
    internals.drop_backup(flow)


def redact_fields(fields: Headers, scheme: Scheme) -> None:
    """Overwrite every field that *scheme* owns, or that a provider has as secret."""
    fields.fields = _without_secrets(fields.fields, scheme)


def _without_secrets(fields: Iterable[_Field], scheme: Scheme) -> tuple[_Field, ...]:
    secret = _secret(scheme.fields)
    return tuple(
        [
            (field[0], _redacted_field(field, scheme))
            if field[0].lower() in secret
            else field
            for field in fields
        ]
    )


@lru_cache(maxsize=64)  # there are as many as schemes
def encoded(names: frozenset[str]) -> frozenset[bytes]:
    """Return names of fields, in lower case, as they are in a message."""
    return frozenset(name.encode() for name in names)


@lru_cache(maxsize=64)
def _secret(owned: frozenset[str]) -> frozenset[bytes]:
    return encoded(owned | _FIELDS)


def _redacted_field(field: _Field, scheme: Scheme) -> bytes:
    name, value = field
    if name.lower() not in encoded(scheme.fields):
        return MASKED.encode()
    # As mitmproxy decodes them.
    text = value.decode("utf-8", "surrogateescape")
    return redacted(text).encode("utf-8", "surrogateescape")


def redacted(value: str) -> str:
    """
    Return the mark for a value, of a mark the mark itself.

    Of what stands before it only the word "Bearer" is kept: any other might be
    a part of the secret.
    """
    kind = value[: len(_BEARER)] if value.lower().startswith(_BEARER) else ""
    token = value.removeprefix(kind).strip()
    if marked(token):
        return value
    return kind + redaction_mark(fingerprint(token))


def redacted_path(path: str, scheme: Scheme) -> str:
    """Return the path with a mark for each secret value of the query."""
    path, mark, query = path.partition("?")
    parts = (_redacted_part(part, scheme) for part in query.split("&"))
    return f"{path}{mark}{'&'.join(parts)}"


def _redacted_part(part: str, scheme: Scheme) -> str:
    name, equals, value = part.partition("=")
    known = name_of(part)
    if value and known in scheme.query:
        return f"{name}{equals}{redacted(value)}"
    return f"{name}{equals}{MASKED}" if value and known.lower() in PARAMETERS else part


def _redact_state(state: dict[str, Any], scheme: Scheme) -> None:
    request = state.get("request") or {}
    request["headers"] = _without_secrets(request.get("headers", ()), scheme)
    if "path" in request:
        path = request["path"].decode("latin-1")
        request["path"] = redacted_path(path, scheme).encode("latin-1")
    if isinstance(state.get("backup"), dict):
        _redact_state(state["backup"], scheme)
