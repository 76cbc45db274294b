"""A destination that a client is kept from is told of, once."""

from __future__ import annotations

import pytest
from mitmproxy.connection import Server
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from everbearer.audit.lines import line_of
from everbearer.cli.event_lines import line_of as told_of
from everbearer.events import Exchanged
from everbearer.metrics.codes import REFUSALS
from everbearer.policy.hosts import NOWHERE
from everbearer.proxy.connections import EverbearerConnections
from everbearer.proxy.denials import OWN_PORT
from everbearer.proxy.servers import EverbearerServers
from everbearer.proxy.tokens import EverbearerTokens
from proxy.door_stage import GOOD, Here, absolute, connect
from proxy.hooked import hooked


def shared(flow, host: str, port: int):
    """Have *flow* ask for that destination at a listener that others reach."""
    flow.client_conn.proxy_mode = ProxyMode.parse("regular@0.0.0.0:8080")
    flow.request.data.host, flow.request.data.port = host, port
    return flow


async def test_a_refused_connect_is_told_with_who_asked_for_what(here: Here):
    """Address, user, host and port, code and reason; and nothing more when it ends."""
    flow = shared(connect(proxy_authorization=GOOD), "10.0.0.1", 22)
    await here.hooks(EverbearerConnections).http_connect(flow)
    assert flow.response.status_code == 403
    (event,) = here.events
    assert isinstance(event, Exchanged)
    assert (event.method, event.host, event.port) == ("CONNECT", "10.0.0.1", 22)
    assert (event.client, event.user) == (flow.client_conn.peername[0], "alice")
    assert (event.verdict, event.code) == ("refuse", "destination_private")
    assert (event.status, event.id) == (403, flow.id)
    assert "not on the internet" in event.reason
    assert not event.probe
    assert "CONNECT 10.0.0.1:22 403 - for alice" in told_of(event).text
    assert b'"port":22' in line_of(event)


async def test_who_is_not_let_in_is_told_of_as_that_alone(here: Here):
    """A CONNECT without a user is no refused destination."""
    flow = shared(connect(), "10.0.0.1", 22)
    await here.hooks(EverbearerConnections).http_connect(flow)
    assert [each.code for each in here.events] == ["user_required"]


async def test_what_is_let_through_is_not_told_of(here: Here):
    """A tunnel is nobody's business."""
    flow = connect(proxy_authorization=GOOD)
    await here.hooks(EverbearerConnections).http_connect(flow)
    assert flow.response is None
    assert not here.events


async def test_a_refused_request_for_a_host_without_a_rule_is_told_once(here: Here):
    """In absolute form too, with its port; what is let through is not."""
    hooks = here.hooks(EverbearerTokens)
    for host in ("10.0.0.1", "8.8.8.8"):
        flow = shared(absolute(proxy_authorization=GOOD), host, 8022)
        await hooked(hooks.requestheaders, flow)
        await hooked(hooks.response, flow)
    (event,) = here.events
    assert (event.method, event.host, event.port) == ("GET", "10.0.0.1", 8022)
    assert (event.code, event.user) == ("destination_private", "alice")


async def test_a_host_of_any_length_is_told_in_part(here: Here):
    """In the reason as well."""
    host = "127.0.0.1%" + "x" * 60_000
    flow = shared(connect(proxy_authorization=GOOD), host, 1)
    await here.hooks(EverbearerConnections).http_connect(flow)
    (event,) = here.events
    assert event.code == "destination_private"
    assert event.host.startswith("127.0.0.1%xxx")
    assert len(line_of(event)) < 2000


@pytest.mark.parametrize("under_way", [True, False], ids=["request", "tunnel"])
async def test_a_connection_that_is_not_made_is_told_once(here: Here, under_way: bool):
    """By its request where there is one, with its method; else as a CONNECT."""
    make = absolute if under_way else connect
    flow = shared(make(proxy_authorization=GOOD), "8.8.8.8", 80)
    tokens = here.hooks(EverbearerTokens)
    if under_way:
        await hooked(tokens.requestheaders, flow)
    else:
        await here.hooks(EverbearerConnections).http_connect(flow)
    server = Server(address=("8.8.8.8", 80))
    server.peername, server.sockname = ("10.0.0.1", 80), ("10.0.0.2", 9)
    data = ServerConnectionHookData(server, flow.client_conn)
    here.hooks(EverbearerServers).server_connected(data)
    await hooked(tokens.response, flow)
    (event,) = here.events
    method = "GET" if under_way else "CONNECT"
    assert (event.method, event.host, event.port) == (method, "8.8.8.8", 80)
    assert (event.code, event.verdict) == ("destination_private", "refuse")
    assert event.user == "alice"
    assert under_way or event.status == 0


async def test_a_question_of_our_own_is_told_as_one(here: Here):
    """Nobody is warned of a CONNECT that asks to be refused."""
    flow = shared(connect(proxy_authorization=GOOD), NOWHERE, 443)
    denials = here.hooks(EverbearerConnections)._denials
    refusal = await here.hooks(EverbearerConnections)._reach.refusal(
        flow.client_conn, ("10.0.0.1", 1)
    )
    denials.connect(flow, refusal, 0.0)
    assert here.events[0].probe


async def test_each_code_is_a_label_of_its_own():
    """Whoever watches the figures sees a scan."""
    assert {OWN_PORT.code, "destination_private", "destination_unchecked"} <= REFUSALS
