"""A flow, seen as the policy sees it: one frozen view of what will really be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy.mode_specs import ReverseMode

from everbearer.policy.head import read_head
from everbearer.policy.hosts import join_authority
from everbearer.policy.view import ListenerView, RequestView

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.http import Headers, HTTPFlow

    from everbearer.policy.view import Authorization

_BREAK: Final = re.compile(rb"[\x00\r\n]")

# An HTTP/2 request says nowhere in its head whether a body follows. These
# methods are taken to have none; `body.Stream` cuts the client off if one comes.
_BODILESS_IN_HTTP2: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


def body_length(flow: HTTPFlow) -> int | None:
    """Return the length of the request's body in bytes, None where it is unknown."""
    request = flow.request
    if request.is_http2 or request.is_http3:
        declared = request.headers.get("content-length")
        if declared is not None:
            return int(declared) if declared.isdecimal() else None
        return 0 if request.method in _BODILESS_IN_HTTP2 else None
    size = expected_http_body_size(request)
    return None if size is None or size < 0 else size


def listener_of(client: Client, profiles: dict[str, str]) -> ListenerView:
    """
    Return the listener that took the connection of *client*.

    *profiles* are the bindings, by the listener's `host:port`.
    """
    host, port = client.sockname[0], client.sockname[1]
    mode = client.proxy_mode
    reverse = mode.address[0] if isinstance(mode, ReverseMode) else ""
    profile = profiles.get(join_authority(host, port), "")
    return ListenerView.at(host, port, reverse, profile)


def look(
    flow: HTTPFlow,
    listener: ListenerView,
    authorization: Authorization,
    *,
    direct: bool,
) -> RequestView:
    """
    Build the view of *flow*; *direct* is that of `Direct` for its client.

    Inside a CONNECT tunnel and behind a reverse listener the destination is the
    server connection's address; a proxy request in absolute form names it in
    each request, over a server connection that has none yet.
    """
    request, client, server = flow.request, flow.client_conn, flow.server_conn
    host, port = request.data.host, request.data.port
    sni: str | None = None
    connect_name: str | None = None
    if flow.is_replay:
        # Somebody replays a saved flow from a user interface: mitmproxy dials
        # the request's host and checks the certificate for its Host field.
        verified = request.pretty_host
    elif server.address is None:
        verified = host
        # Who does TLS with the proxy itself asks it for https by CONNECT.
        direct = direct or (client.tls and request.scheme == "https")
    else:
        verified = server.sni or client.sni or server.address[0]
        sni = client.sni
        connect_name = None if listener.reverse else server.address[0]
    fields = _Fields(request.headers)
    authorities = fields.all("host")
    if request.authority:
        authorities = (*authorities, request.authority)
    return RequestView(
        **read_head(request.method, request.path, request.authority, fields.all),
        scheme=request.scheme,
        host=host,
        port=port,
        verified_name=str(verified) if request.scheme == "https" else "",
        authorities=authorities,
        sni=sni,
        connect_name=connect_name,
        upstream_verified=not ctx.options.ssl_insecure,
        http2=request.is_http2 or request.is_http3,
        server_http2=server.connected and server.alpn == b"h2",
        listener=listener,
        direct=direct and not listener.reverse,
        body_length=body_length(flow),
        broken_fields=fields.broken,
        authorization=authorization,
    )


class _Fields:
    """
    The fields of a request, most of which are not there.

    mitmproxy reads all of them for each question; this reads them once.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._there = {name.lower() for name, _ in headers.fields}

    @property
    def broken(self) -> bool:
        """Tell whether any name or value holds a line break or NUL."""
        return any(
            _BREAK.search(part) for field in self._headers.fields for part in field
        )

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of the field, whose name is in lower case."""
        return (
            tuple(self._headers.get_all(name)) if name.encode() in self._there else ()
        )
