"""What everbearer reaches into is there, and its lack is seen at start."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Flow
from mitmproxy.http import Response
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.tunnel import TunnelLayer
from mitmproxy.test import taddons

from everbearer.proxy import internals
from proxy.flows import asked


def test_this_mitmproxy_has_all_of_it():
    """Nothing is missing in the version that the tests run with."""
    assert internals.check() == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ConnectionHandler, "drain_writers"),
        (ConnectionHandler, "server_event"),
        (Flow, "wait_for_resume"),
        (TlsConfig, "certstore"),
        (TlsConfig, "configure"),
    ],
)
def test_a_method_that_is_gone_is_named(kind: type, name: str, monkeypatch):
    """One entry, with module and class."""
    monkeypatch.delattr(kind, name)
    assert internals.check() == [f"{kind.__module__}.{kind.__qualname__}.{name}"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            ConnectionHandler,
            {
                "_drain_lock",
                "client",
                "layer",
                "timeout_watchdog",
                "transports",
                "wakeup_timer",
            },
        ),
        (Flow, {"_backup"}),
        (HttpLayer, {"streams"}),
        (HttpStream, {"request_body_buf"}),
        (NextLayer, {"events"}),
        (Proxyserver, {"connections", "servers"}),
        (TunnelLayer, {"_event_queue"}),
    ],
)
def test_attributes_that_are_no_longer_set_are_named(
    kind: type, names: set[str], monkeypatch
):
    """A constructor that does not make them: each is told."""

    def __init__(self) -> None:  # noqa: N807 - it stands in for one
        """Set nothing."""

    monkeypatch.setattr(kind, "__init__", __init__)
    assert {name.rpartition(".")[2] for name in internals.check()} == names


def test_the_address_of_an_open_connection_is_put_back():
    """Mitmproxy's own setter refuses; the certificate is checked by this name."""
    server = asked().server_conn
    server.state = ConnectionState.OPEN
    with pytest.raises(RuntimeError):
        server.address = ("api.box.com", 444)
    internals.set_address(server, ("api.box.com", 444))
    assert server.address == ("api.box.com", 444)


@pytest.mark.parametrize("intercepted", [True, False])
async def test_an_edit_is_looked_at_when_the_flow_goes_on(intercepted: bool):
    """After a resume the check runs, before mitmproxy sends; else it is not needed."""
    flow, calls = asked(), []
    internals.after_resume(flow, lambda: calls.append(flow.request.path))
    if not intercepted:
        await flow.wait_for_resume()
        assert calls == []
        return
    flow.intercept()
    waiting = asyncio.ensure_future(flow.wait_for_resume())
    await asyncio.sleep(0)
    assert calls == []
    flow.request.path = "/edited"
    flow.resume()
    await waiting
    assert calls == ["/edited"]


async def test_a_client_without_a_handler_is_not_waited_for():
    """A replay has none: there is nothing to pause and nothing to cut."""
    flow = asked()
    with taddons.context():
        async with internals.reading_paused(flow.client_conn):
            pass
        internals.abort(flow.client_conn, flow.client_conn)


async def test_nothing_is_read_while_reading_is_paused():
    """The lock under which mitmproxy drains before it reads on is held, then free."""
    flow = asked()
    server = Proxyserver()

    class Handler:
        _drain_lock = asyncio.Lock()

    with taddons.context(server):
        server.connections[flow.client_conn.id] = Handler()
        async with internals.reading_paused(flow.client_conn):
            assert Handler._drain_lock.locked()
        assert not Handler._drain_lock.locked()


async def test_a_body_is_away_until_its_hook_is_over():
    """Addons see none; then it is back, for what is sent."""
    flow = asked()
    flow.request.content = b"secret"
    assert internals.take_body(flow, flow.request) == b"secret"
    assert flow.request.raw_content is None
    flow.intercept()
    waiting = asyncio.ensure_future(flow.wait_for_resume())
    await asyncio.sleep(0)
    assert flow.request.raw_content is None
    flow.resume()
    await waiting
    assert flow.request.raw_content == b"secret"
    flow.request.data.content = None
    await flow.wait_for_resume()  # of the next hook
    assert flow.request.raw_content is None


@pytest.mark.parametrize("how", ["edited", "answered"])
async def test_a_body_is_not_put_back_in_vain(how: str):
    """Somebody wrote another one, or the request does not leave."""
    flow = asked()
    flow.request.content = b"secret"
    internals.take_body(flow, flow.request)
    if how == "edited":
        flow.request.content = b"another"
    else:
        flow.response = Response.make(503)
    await flow.wait_for_resume()
    assert flow.request.raw_content == (b"another" if how == "edited" else None)


def test_bodies_leave_the_states_from_before_an_edit():
    """Those of the request and of the answer, however often it was edited."""
    flow = asked()
    flow.request.content = b"secret"
    flow.response = Response.make(200, b"secret too")
    flow.backup()
    flow.request.path = "/edited"
    internals.forget_backups(flow)
    assert b"secret" not in repr(flow._backup).encode()


async def test_the_end_of_a_flow_is_noticed():
    """Not before mitmproxy has read what it sends."""
    flow, done = asked(), asyncio.Event()
    flow.live = True
    internals.when_answered(flow, done.set)
    await asyncio.sleep(0)
    assert not done.is_set()
    flow.live = False
    await asyncio.wait_for(done.wait(), 5)


async def test_a_flow_is_cut_wherever_it_is():
    """One that somebody holds goes on, to its end."""
    flow = asked()
    flow.live = True
    flow.intercept()
    waiting = asyncio.ensure_future(flow.wait_for_resume())
    with taddons.context():
        internals.cut(flow)
        internals.cut(flow)
    await waiting
    assert flow.error is not None
