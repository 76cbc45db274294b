"""What everbearer reaches into is there, and its lack is seen at start."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Flow
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.server import ConnectionHandler
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
    ],
)
def test_a_method_that_is_gone_is_named(kind: type, name: str, monkeypatch):
    """One entry, with module and class."""
    monkeypatch.delattr(kind, name)
    assert internals.check() == [f"{kind.__module__}.{kind.__qualname__}.{name}"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (ConnectionHandler, {"_drain_lock", "transports", "wakeup_timer"}),
        (Flow, {"_backup"}),
        (HttpLayer, {"streams"}),
        (HttpStream, {"request_body_buf"}),
        (Proxyserver, {"connections", "servers"}),
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
