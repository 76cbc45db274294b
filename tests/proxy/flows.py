"""Flows as mitmproxy hands them to hooks."""

from __future__ import annotations

from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

HOST = "api.box.com"


def asked(
    method: str = "GET",
    path: str = "/2.0/users/me",
    *,
    body: bytes | None = b"",
    http2: bool = False,
    mode: str = "regular",
    **fields: str,
) -> HTTPFlow:
    """Return a request inside a CONNECT tunnel to the API; `_` in names is `-`."""
    flow = tflow.tflow(resp=False)
    client, server, request = flow.client_conn, flow.server_conn, flow.request
    client.sockname, client.sni = ("127.0.0.1", 8080), HOST
    client.proxy_mode = ProxyMode.parse(mode)
    server.address, server.sni = (HOST, 443), HOST
    request.data.host, request.data.port = HOST, 443
    request.scheme, request.method, request.path = "https", method, path
    request.http_version = "HTTP/2.0" if http2 else "HTTP/1.1"
    request.authority = ""
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    request.headers = Headers(
        [
            (name.encode(), value.encode("utf-8", "surrogateescape"))
            for name, value in ({"host": HOST} | given).items()
        ]
    )
    request.data.content = body
    return flow
