"""The last user is taken out while clients of other machines are connected."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server import ConnectionIO

from everbearer.proxy.connections import EverbearerConnections
from everbearer.proxy.door import Door
from everbearer.proxy.options import EverbearerOptions
from everbearer.proxy.reach import Reach
from everbearer.proxy.tokens import EverbearerTokens
from proxy.door_stage import GOOD, Here, absolute, connect
from proxy.flows import asked
from proxy.hooked import hooked

REVERSE = "reverse:https://api.box.com"
FAR = [("10.0.0.5", 8080), ("::ffff:10.0.0.5", 8080, 0, 0), ("2001:db8::5", 8080, 0, 0)]
NEAR = [("127.0.0.1", 8080), ("::1", 8080, 0, 0), ("::ffff:127.0.0.1", 8080, 0, 0)]


async def without_users(here: Here) -> None:
    """Put a configuration without users in force."""
    here.users.clear()
    assert await here.broker.reload()


def at(sockname: tuple[object, ...], flow: HTTPFlow) -> HTTPFlow:
    """Have the flow's client come to another address of this machine."""
    flow.client_conn.sockname = sockname
    return flow


@pytest.mark.parametrize("sockname", FAR)
@pytest.mark.parametrize(
    ("make", "mode"), [(asked, "regular"), (absolute, "regular"), (asked, REVERSE)]
)
async def test_a_request_from_beyond_is_refused(here: Here, make, mode, sockname):
    """Whatever it says of itself, by the explicit proxy and a reverse listener."""
    flow = at(sockname, make(mode=mode, proxy_authorization=GOOD))
    await without_users(here)
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    assert flow.response.status_code == 403
    assert b"loopback_only" in flow.response.content
    assert flow.response.headers["Connection"] == "close"
    assert "authorization" not in flow.request.headers


@pytest.mark.parametrize("sockname", FAR)
async def test_no_tunnel_is_opened_from_beyond(here: Here, sockname):
    """Nor is anything dialled, in one that a user had opened before as well."""
    before = at(sockname, connect(proxy_authorization=GOOD))
    hooks, door = here.hooks(EverbearerConnections), Door(here.broker, here.notes)
    assert await door.open(before, door.take(before)) is None
    assert door.is_open(before.client_conn)
    await without_users(here)
    assert not door.is_open(before.client_conn)
    assert not door.is_open(at(sockname, asked(mode=REVERSE)).client_conn)
    flow = at(sockname, connect(proxy_authorization=GOOD))
    await hooks.http_connect(flow)
    assert flow.response.status_code == 403
    assert b"loopback_only" in flow.response.content


@pytest.mark.parametrize("sockname", NEAR)
async def test_this_machine_is_served(here: Here, sockname):
    """Without users its tools need no password, in open connections either."""
    await without_users(here)
    flow = at(sockname, connect())
    await here.hooks(EverbearerConnections).http_connect(flow)
    assert flow.response is None
    assert Door(here.broker, here.notes).is_open(flow.client_conn)


@dataclass
class Writer:
    """Tells whether it was closed."""

    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Handler:
    """A client's connection."""

    client: Client
    writer: Writer = field(default_factory=Writer)

    @property
    def transports(self) -> dict[Client, ConnectionIO]:
        return {self.client: ConnectionIO(writer=self.writer)}


async def test_idle_connections_from_beyond_are_cut_off(here: Here):
    """At the reload; one with a request under way ends that first."""
    idle, near = at(FAR[0], asked()), at(NEAR[0], asked())
    busy = at(FAR[0], asked(proxy_authorization=GOOD))
    await hooked(here.hooks(EverbearerTokens).requestheaders, busy)
    assert busy.response is None
    writers = []
    for flow in (idle, busy, near):
        handler = Handler(flow.client_conn)
        writers.append(handler.writer)
        here.proxyserver.connections[flow.client_conn.id] = handler
    assert await here.broker.reload()
    assert not any(writer.closed for writer in writers)
    await without_users(here)
    assert [writer.closed for writer in writers] == [True, False, False]


async def test_a_client_of_an_open_listener_stays_limited(here: Here):
    """The listener decides how far its clients reach, users or none."""
    client = at(NEAR[0], asked()).client_conn
    client.proxy_mode = ProxyMode.parse("regular@0.0.0.0:8080")
    reach = Reach(here.broker)
    assert reach.is_limited(client)
    await without_users(here)
    assert reach.is_limited(client)
    client.proxy_mode = ProxyMode.parse("regular@127.0.0.1:8080")
    assert not reach.is_limited(client)


async def test_a_flow_made_in_an_interface_is_the_owners(here: Here):
    """No client sent it: it came to no address, and goes where the owner likes."""
    client = at(("", 0), asked()).client_conn
    assert not Reach(here.broker).is_limited(client)


@pytest.mark.parametrize("mode", ["regular@0.0.0.0:8080", "regular@10.0.0.5:8080"])
async def test_users_of_an_open_listener_stay_until_a_restart(here: Here, mode: str):
    """A configuration without any is rejected, whatever listeners it has."""
    here.options.update(mode=[mode], keep_host_header=True)
    EverbearerOptions(here.broker)
    here.users.clear()
    assert not await here.broker.reload()
    assert here.broker.rules.guarded
    (problem,) = here.broker.standing.problems
    assert mode in problem
    assert "restart" in problem
    here.options.update(mode=["regular@127.0.0.1:8080"])
    assert await here.broker.reload()
    assert here.broker.standing.problems == ()
