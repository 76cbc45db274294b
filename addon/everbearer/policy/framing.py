"""
Requests that cannot be forwarded as the protocols frame them.

They are refused whether a rule names their host or not: sent on, the rest of
one would be read as another request, which nobody has judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.policy.verdict import Refuse

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView


def refusal(view: RequestView) -> Refuse | None:
    """Return why the request cannot be framed, None when it can."""
    whole_way_http2 = view.http2 and view.server_http2
    if view.control_characters:
        return Refuse(
            400,
            "invalid_path",
            "the method, path or authority holds spaces or control characters",
            "send them percent-encoded",
        )
    if view.broken_fields:
        # RFC 9110 §5.5, RFC 9112 §5.2. To some servers a bare CR ends a line: what
        # follows is a second Authorization, or Host, to them.
        return Refuse(
            400,
            "invalid_field",
            "a field of the request holds a line break or NUL",
            "send each field on one line",
        )
    if view.trailers and not whole_way_http2:
        return Refuse(
            501,
            "trailers",
            "the request announces trailers, which are not forwarded over HTTP/1",
            "send the request without a Trailer field",
        )
    # HTTP/1 has a length or chunks (RFC 9112 §6.3); of HTTP/2's frames without
    # a content-length neither is made on the way to an HTTP/1 server.
    if view.http2 and view.body_length is None and not view.server_http2:
        return Refuse(
            411,
            "length_required",
            "the HTTP/2 request has a body of unknown length and the server "
            "speaks HTTP/1",
            "send Content-Length, or use HTTP/1.1 (curl --http1.1)",
        )
    return None
