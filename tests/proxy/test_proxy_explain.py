"""What `explain` judges is what the proxy would judge."""

from __future__ import annotations

import pytest
from mitmproxy.test import taddons

from everbearer.cli.request import Request, view_of
from everbearer.proxy.look import listener_of, look
from everbearer.schemes.existing import classify
from everbearer.settings.model import Address, Listener
from proxy.flows import HOST, asked


@pytest.mark.parametrize("reverse", ["", HOST])
@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("GET", "/2.0/users/me", {}),
        ("GET", "/2.0/users/me?access_token=x", {"as_user": "7"}),
        ("GET", "/2.0/a b", {"everbearer_profile": "dev"}),
        ("GET", "/2.0/users/me?q=a b", {"authorization": "Bearer x"}),
        ("POST", "/2.0/files", {"content_length": "12", "trailer": ""}),
        ("POST", "/2.0/files", {"transfer_encoding": "chunked"}),
        ("GET", "/2.0/me", {"origin": "https://a.test", "sec_fetch_site": "none"}),
        ("OPTIONS", "/2.0/me", {"origin": "null"}),
        (
            "OPTIONS",
            "/2.0/me",
            {"origin": "https://a.test", "access_control_request_method": "PUT"},
        ),
    ],
)
async def test_explain_and_the_proxy_see_the_same(method, target, fields, reverse):
    """One request has one view, by its flow and by its URL and fields."""
    mode = f"reverse:https://{HOST}" if reverse else "regular"
    flow = asked(method, target, mode=mode, **fields)
    if reverse:
        flow.client_conn.sni = None
    typed = {name.replace("_", "-"): value for name, value in fields.items()}
    url = f"https://{HOST}{target}"
    request = Request(method, url, tuple({"host": HOST, **typed}.items()))
    authorization = classify(
        tuple(flow.request.headers.get_all("authorization")),
        placeholder="",
        issued=lambda _: frozenset(),
        redeemed=lambda _: frozenset(),
        rejected_for=lambda _: frozenset(),
    )

    with taddons.context():
        listening = listener_of(flow.client_conn, {})
        seen = look(flow, listening, authorization, direct=False)

    listener = Listener(Address("127.0.0.1", 8080), reverse)
    assert view_of(request, listener, "") == seen
