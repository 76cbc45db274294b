"""
What a client has asked for and is not done with.

The rest of what mitmproxy does not promise: see `internals`, which checks its parts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.proxy.layers.http import HttpLayer, ResponseHeaders
from mitmproxy.proxy.layers.http._http1 import Http1Server

from everbearer.proxy import internals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.layer import CommandGenerator
    from mitmproxy.proxy.layers.http import HttpStream
    from mitmproxy.proxy.layers.http._base import HttpEvent


def streams(client: Client) -> Iterator[HttpStream]:
    """
    Give the streams of *client*, its tunnels among them.

    What a connection knows is its layers, of which an HTTP one has streams, and a
    stream layers. One lives from a request's head to the end of the answer; that
    of a CONNECT as long as its tunnel.
    """
    handler = internals.connection_handler(client)
    layers = list(handler.layer.context.layers) if handler else []
    seen = set()
    while layers:
        layer = layers.pop()
        if not isinstance(layer, HttpLayer) or id(layer) in seen:
            continue
        seen.add(id(layer))
        for stream in layer.streams.values():
            yield stream
            layers += stream.context.layers


def gather_into(flow: HTTPFlow, buffer: object) -> None:
    """
    Let mitmproxy gather the body of *flow*, in `requestheaders`, in *buffer*.

    `HttpStream.state_consume_request_body` does to its `request_body_buf` what
    `body.Held` can: it adds chunks with `+=`, asks for its length and its bytes
    and clears it. A flow does not know its stream.

    Raises LookupError where there is none.
    """
    for stream in streams(flow.client_conn):
        if getattr(stream, "flow", None) is flow:
            stream.request_body_buf = buffer  # type: ignore[assignment]
            return
    raise LookupError("the request has no stream")


def is_in_use(client: Client, *, quiet: float) -> bool:
    """
    Tell whether *client* waits for an answer, or has sent or received of late.

    That is within *quiet* seconds, by the wall clock, as mitmproxy keeps it. What
    passes in a tunnel that is not HTTP is unknown: it is in use as long as it is.
    """
    handler = internals.connection_handler(client)
    if handler is None:
        return False
    watchdog = handler.timeout_watchdog
    if watchdog.blocker or 0 <= time.time() - watchdog.last_activity < quiet:
        return True
    return not all(_is_idle_tunnel(stream) for stream in streams(client))


def _is_idle_tunnel(stream: HttpStream) -> bool:
    """Tell whether it is a tunnel in which requests are known, or none has come."""
    flow = getattr(stream, "flow", None)
    if flow is None or flow.request.method != "CONNECT":
        return False
    inside = stream.context.layers
    # Its own layer is the first of them.
    if sum(isinstance(each, HttpLayer) for each in inside) > 1:
        return True
    opaque = any(isinstance(each, TCPLayer) for each in inside)
    return stream.context.client.tls_established and not opaque


def answer_for_the_last_time() -> None:
    """
    Tell HTTP/1 clients in each answer that their connection closes, and close it.

    `Http1Server` closes after an answer that says so. The answer itself stays as it
    is, for others who look at it and for the server's connection. HTTP/2 has no
    such field (RFC 9113 §8.2.2).
    """
    send = Http1Server.send

    def send_last(self: Http1Server, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, ResponseHeaders) and _ends_an_exchange(self, event):
            response = event.response.copy()
            response.headers["Connection"] = "close"
            event = replace(event, response=response)
        return send(self, event)

    Http1Server.send = send_last  # type: ignore[method-assign]


def _ends_an_exchange(server: Http1Server, event: ResponseHeaders) -> bool:
    status = event.response.status_code
    tunnel = server.request is not None and server.request.method == "CONNECT"
    return status >= HTTPStatus.OK and not (
        tunnel and status < HTTPStatus.MULTIPLE_CHOICES
    )
