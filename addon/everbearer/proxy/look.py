"""A flow, seen as the policy sees it: one frozen view of what will really be sent."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy.mode_specs import ReverseMode

from everbearer.policy.head import read_head
from everbearer.policy.hosts import join_authority
from everbearer.policy.view import ListenerView, RequestView
from everbearer.proxy.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow

    from everbearer.policy.view import Authorization, UserView

# An HTTP/2 request says nowhere in its head whether a body follows. These
# methods are taken to have none; `body.Stream` cuts the client off if one comes.
_BODILESS_IN_HTTP2: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


def body_length(flow: HTTPFlow, fields: Fields | None = None) -> int | None:
    """
    Return the length of the request's body in bytes, None where it is unknown.

    *fields* are those of the request, where somebody has read them already.
    """
    request = flow.request
    if request.is_http2 or request.is_http3:
        declared = request.headers.get("content-length")
        if declared is not None:
            return int(declared) if declared.isdecimal() else None
        return 0 if request.method in _BODILESS_IN_HTTP2 else None
    fields = fields or Fields(request.headers)
    if not fields.has(b"content-length", b"transfer-encoding"):
        return 0  # RFC 9112 §6.3; mitmproxy would look for each of them again
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
    profile = ""
    if profiles:
        bound = (p for at in _bound(host, port) if (p := profiles.get(at)))
        profile = next(bound, "")
    return _listener(host, port, reverse, profile)


# There are as many as listeners, and addresses of this machine.
_listener: Final = lru_cache(maxsize=64)(ListenerView.at)


def _bound(host: str, port: int) -> Iterator[str]:
    """Yield the addresses of listeners that may have taken a connection there."""
    yield join_authority(host, port)
    yield join_authority("::" if ":" in host else "0.0.0.0", port)  # noqa: S104 - no bind


def look(
    flow: HTTPFlow,
    listener: ListenerView,
    authorization: Authorization,
    *,
    direct: bool,
    user: UserView | None = None,
    fields: Fields | None = None,
) -> RequestView:
    """
    Build the view of *flow*.

    *direct* is that of `Direct` for its client, *user* who was let in, *fields*
    are those of the request as it stands, where somebody has read them already.

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
    fields = fields or Fields(request.headers)
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
        user=user,
        direct=direct and not listener.reverse,
        body_length=body_length(flow, fields),
        broken_fields=fields.broken,
        authorization=authorization,
    )
