"""Tokens leave a flow before anything saves it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from everbearer.policy.query import name_of
from everbearer.proxy import internals
from everbearer.secret import fingerprint, marked, redaction_mark

if TYPE_CHECKING:
    from mitmproxy.http import Headers, HTTPFlow

    from everbearer.schemes.contract import Scheme


_BEARER: Final = "bearer "


def redact(flow: HTTPFlow, scheme: Scheme) -> None:
    """
    Overwrite what *scheme* owns of the request by marks with fingerprints.

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
    """Overwrite every field that *scheme* owns."""
    owned = encoded(scheme.fields)
    fields.fields = tuple(
        [
            (field[0], _redacted_bytes(field[1]))
            if field[0].lower() in owned
            else field
            for field in fields.fields
        ]
    )


@lru_cache(maxsize=64)  # there are as many as schemes
def encoded(names: frozenset[str]) -> frozenset[bytes]:
    """Return names of fields, in lower case, as they are in a message."""
    return frozenset(name.encode() for name in names)


def _redacted_bytes(value: bytes) -> bytes:
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
    """Return the path with a mark for each value that *scheme* owns of the query."""
    path, mark, query = path.partition("?")
    parts = (
        _redacted_part(part) if name_of(part) in scheme.query else part
        for part in query.split("&")
    )
    return f"{path}{mark}{'&'.join(parts)}"


def _redacted_part(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{name}{equals}{redacted(value)}" if value else part


def _redact_state(state: dict[str, Any], scheme: Scheme) -> None:
    owned = {name.encode() for name in scheme.fields}
    request = state.get("request") or {}
    request["headers"] = tuple(
        (name, redacted(value.decode("latin-1")).encode("latin-1"))
        if name.lower() in owned
        else (name, value)
        for name, value in request.get("headers", ())
    )
    if "path" in request:
        path = request["path"].decode("latin-1")
        request["path"] = redacted_path(path, scheme).encode("latin-1")
    if isinstance(state.get("backup"), dict):
        _redact_state(state["backup"], scheme)
