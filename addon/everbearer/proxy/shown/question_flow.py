"""A question to an authorization server as a flow: finished, without its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from mitmproxy.connection import Client, Server
from mitmproxy.flow import Error
from mitmproxy.http import Headers, HTTPFlow, Request, Response

from everbearer.policy.hosts import HTTPS_PORT

if TYPE_CHECKING:
    from everbearer.events import TokenRequested

_OURS: Final = "everbearer.question"
"""In the metadata of such a flow: what was asked for. It is saved with the flow."""

_HERE: Final = ("127.0.0.1", 0)
_OF_MARKS: Final = "[:]"
_FORM: Final = "application/x-www-form-urlencoded"


def question_flow(event: TokenRequested) -> HTTPFlow:
    """Return the flow; its times are those of the question."""
    url = urlsplit(event.url)
    host, port = url.hostname or "", url.port or HTTPS_PORT
    ended = event.at + event.duration
    client = Client(peername=_HERE, sockname=_HERE, timestamp_start=event.at)
    server = Server(address=(host, port), sni=host, tls=True)
    client.timestamp_end = server.timestamp_end = ended
    flow = HTTPFlow(client, server)
    fields = Headers(host=url.netloc, content_type=_FORM)
    body = urlencode(event.form, safe=_OF_MARKS).encode()
    flow.request = Request.make("POST", event.url, body, fields)
    flow.request.timestamp_start = flow.request.timestamp_end = event.at
    if event.status:
        flow.response = _answer(event)
        flow.response.timestamp_start = flow.response.timestamp_end = ended
    else:
        flow.error = Error(f"no answer that could be read: {event.code}", ended)
    flow.metadata["everbearer.profile"] = event.profile
    flow.metadata[_OURS] = kind(event)
    return flow


def is_question(flow: HTTPFlow) -> bool:
    """Tell whether *flow* was made here, in this process or in another."""
    return _OURS in flow.metadata


def kind(event: TokenRequested) -> str:
    """Return what was asked for, in a word."""
    grant = dict(event.form).get("grant_type")
    if grant is None:
        return "revocation"
    return "login" if grant == "authorization_code" else "renewal"


def _answer(event: TokenRequested) -> Response:
    response = Response.make(event.status, event.answer.encode(), dict(event.fields))
    if not event.answer:
        response.raw_content = None  # there may have been one that is no JSON
    return response
