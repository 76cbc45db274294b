"""What a scheme asks for, done to a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.policy.query import name_of
from everbearer.secret import Secret

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.schemes.contract import Changes, Scheme


def apply(flow: HTTPFlow, scheme: Scheme, changes: Changes) -> None:
    """Remove everything that *scheme* owns from the request, then set its fields."""
    fields = flow.request.headers
    for name in scheme.fields:
        fields.pop(name, None)
    if scheme.query and "?" in flow.request.path:
        _remove_query(flow, scheme.query)
    for name, value in changes.fields:
        text = value.reveal() if isinstance(value, Secret) else value
        # Every field name is the same in any case (RFC 9110 §5.1); the usual
        # spelling serves whoever reads the traffic.
        fields[name.title()] = text


def _remove_query(flow: HTTPFlow, owned: frozenset[str]) -> None:
    path, _, query = flow.request.path.partition("?")
    parts = query.split("&")
    kept = [part for part in parts if name_of(part) not in owned]
    if len(kept) != len(parts):
        flow.request.path = f"{path}?{'&'.join(kept)}" if kept else path
