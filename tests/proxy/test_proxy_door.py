"""The door's hooks, and how far who was let in reaches."""

from __future__ import annotations

import pytest
from mitmproxy.connection import Server
from mitmproxy.flow import Error
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from everbearer.events import ConfigurationChanged, UserRefused
from everbearer.policy.users import FIELDS
from everbearer.policy.view import UserView
from everbearer.proxy.connections import EverbearerConnections
from everbearer.proxy.denials import Denials
from everbearer.proxy.door import Door
from everbearer.proxy.poison import Poison
from everbearer.proxy.reach import Endpoint, Reach, Unreachable
from everbearer.proxy.refusal import Refusal
from everbearer.proxy.servers import EverbearerServers
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.secret import Secret
from everbearer.users.user import User, user_of_one_run
from proxy.door_stage import GOOD, Here, absolute, basic, connect
from proxy.flows import asked
from proxy.hooked import hooked

# -- fields ---------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("mode", ["regular", "reverse:https://api.box.com"])
async def test_the_fields_are_gone_whatever_becomes_of_the_flow(
    here: Here, mode: str, broken: bool
):
    """Served, refused or invalid; in the state from before an edit as well."""
    flow = asked(mode=mode, proxy_authorization=GOOD, everbearer_authorization=GOOD)
    flow.backup()
    flow.request.path = "/edited"
    if broken:
        flow.error = Error("mitmproxy found it invalid")
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    for name in FIELDS:
        assert name not in flow.request.headers
    assert GOOD[6:] not in repr(flow.get_state())


async def test_a_connect_loses_the_field_too(here: Here):
    """Let in or not."""
    for value in (GOOD, basic("alice:wrong")):
        flow = connect(proxy_authorization=value)
        flow.backup()
        await here.hooks(EverbearerConnections).http_connect(flow)
        assert value[6:] not in repr(flow.get_state())
        assert (flow.response is None) == (value == GOOD)


# -- who is let in --------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "fields", "status"),
    [
        (absolute, {"proxy_authorization": GOOD}, None),
        (absolute, {}, 407),
        (absolute, {"proxy_authorization": basic("alice:wrong")}, 407),
        (absolute, {"everbearer_authorization": GOOD}, 407),
        (absolute, {"authorization": GOOD}, 407),
        (asked, {"proxy_authorization": ""}, 407),
    ],
)
async def test_a_request_is_let_in_by_its_own_field(here: Here, make, fields, status):
    """The explicit proxy's field, and no other."""
    flow = make(**fields)
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    assert (flow.response.status_code if flow.response else None) == status
    if status:
        assert flow.response.headers["Proxy-Authenticate"]
        assert [type(event) for event in here.events] == [UserRefused]
    else:
        assert flow.metadata["everbearer.user"] == "alice"


async def test_a_tunnel_speaks_for_what_comes_by_it(here: Here):
    """Its requests need no field, and none in them counts; until alice is gone."""
    opened, hooks = connect(proxy_authorization=GOOD), here.hooks(EverbearerConnections)
    await hooks.http_connect(opened)
    assert opened.response is None
    hooks.http_connected(opened)

    def inner(**fields: str) -> HTTPFlow:
        flow = asked(**fields)
        flow.client_conn = opened.client_conn
        return flow

    for fields in ({}, {"proxy_authorization": basic("eve:x")}):
        flow = inner(**fields)
        await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
        assert flow.metadata.get("everbearer.user") == "alice"
    here.users[:] = [user_of_one_run("alice")[0]]
    assert await here.broker.reload()
    flow = inner(proxy_authorization=GOOD)
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    assert flow.response.status_code == 403
    assert flow.response.headers["Connection"] == "close"
    assert b"user_gone" in flow.response.content


async def test_who_replays_in_an_interface_is_not_asked(here: Here):
    """He has no client's password, and needs none."""
    flow = asked()
    flow.is_replay = "request"
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    assert flow.response is None


async def test_nothing_is_dialled_before_somebody_is_let_in(here: Here):
    """Should the hook of the CONNECT be passed by, the connection is not made."""
    door = Door(here.broker, here.notes)
    flow = connect(proxy_authorization=GOOD)
    assert not door.is_open(flow.client_conn)
    assert await door.open(flow, door.take(flow)) is None
    assert door.is_open(flow.client_conn)
    assert door.is_open(asked(mode="reverse:https://api.box.com").client_conn)


class Broken:
    """A password that fails."""

    is_slow, identity = False, "broken"

    def verify(self, password: Secret) -> bool:
        raise MemoryError


async def test_a_failure_lets_nobody_in(here: Here):
    """Whatever verifying raises is a refusal, at each of the doors."""
    here.users[:] = [User("alice", Broken())]
    assert await here.broker.reload()
    flow = connect(proxy_authorization=GOOD)
    await here.hooks(EverbearerConnections).http_connect(flow)
    assert flow.response.status_code == 500
    for mode, name in (
        ("regular", "proxy_authorization"),
        ("reverse:https://api.box.com", "everbearer_authorization"),
    ):
        flow = asked(mode=mode, **{name: GOOD})
        await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
        assert flow.response.status_code == 500
        assert b"internal_error" in flow.response.content


async def test_what_is_told_of_a_refusal_is_no_name(here: Here):
    """A password typed as a name stays out of the log."""
    flow = absolute(proxy_authorization=basic("my-real-password:x"))
    await hooked(here.hooks(EverbearerTokens).requestheaders, flow)
    assert "my-real-password" not in repr(here.events) + repr(flow.get_state())


async def test_tunnels_of_who_is_gone_are_closed_unless_busy(here: Here):
    """An opaque one would last; one with a request under way ends that first."""
    door = Door(here.broker, here.notes)
    flow = connect(proxy_authorization=GOOD)
    assert await door.open(flow, door.take(flow)) is None
    door.opened(flow)
    assert door.through(flow.client_conn) == UserView("alice")
    here.users[:] = [user_of_one_run("bob")[0]]
    assert await here.broker.reload()
    assert door.through(flow.client_conn) is None
    here.broker.publish(ConfigurationChanged(0.0, "x.toml"))  # nothing to abort here


# -- how far they reach ---------------------------------------------------------


class Names:
    """Names that lead where they say, another place each time if so wanted."""

    def __init__(self, **answers: list[tuple[str, ...]]) -> None:
        self._answers = answers
        self.asked = 0

    async def __call__(self, address: Endpoint) -> tuple[str, ...]:
        self.asked += 1
        answers = self._answers.get(address[0].partition(".")[0], [()])
        return answers[min(self.asked, len(answers)) - 1]


def client(listens: str = "0.0.0.0", sockname: str = "10.0.0.5", mode="regular"):
    """Return a client of a listener."""
    made = tflow.tclient_conn()
    made.proxy_mode = ProxyMode.parse(f"{mode}@{listens}:8080")
    made.sockname = (sockname, 8080)
    return made


@pytest.mark.parametrize(
    ("listens", "sockname", "limited"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("[::1]", "::1", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.5", True),
        ("127.0.0.1", "10.0.0.5", True),
    ],
)
async def test_whose_reach_is_limited(here: Here, listens, sockname, limited):
    """Those of a listener that others reach, also where they come from loopback."""
    reach = Reach(here.broker)
    assert reach.is_limited(client(listens.strip("[]"), sockname)) is limited


async def test_a_name_is_looked_up_once_and_what_was_judged_is_dialled(here: Here):
    """DNS rebinding: what the second answer would be matters to nobody."""
    names = Names(rebound=[("8.8.8.8", "1.1.1.1"), ("127.0.0.1",)])
    reach = Reach(here.broker, names)
    assert await reach.dial(client(), ("rebound.test", 443)) == ("8.8.8.8", 443)
    with pytest.raises(Unreachable):
        await reach.dial(client(), ("rebound.test", 443))
    assert names.asked == 2


@pytest.mark.parametrize(
    "answer", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1",), ()]
)
async def test_a_name_that_leads_inside_is_not_dialled(here: Here, answer):
    """One address of several is enough; nor is one without any."""
    reach = Reach(here.broker, Names(inside=[answer]))
    with pytest.raises(Unreachable):
        await reach.dial(client(), ("inside.test", 443))
    found = await reach.refusal(client(), ("inside.test", 443))
    assert isinstance(found, Refusal) == bool(answer)


async def test_where_the_owner_leads_is_his_decision(here: Here):
    """`connect_to` goes anywhere, on its port alone; and loopback's clients do."""
    reach = Reach(here.broker, Names(led=[("10.0.0.9",)]))
    assert await reach.dial(client(), ("led.test", 443)) == ("10.0.0.9", 9443)
    assert await reach.refusal(client(), ("LED.test.", 443)) is None
    with pytest.raises(Unreachable):
        await reach.dial(client(), ("led.test", 80))
    near = client("127.0.0.1", "127.0.0.1")
    assert await reach.dial(near, ("led.test", 80)) is None


async def test_the_upstream_proxy_is_the_owners_too(here: Here):
    """It is dialled wherever it is; who goes by it is judged before."""
    reach = Reach(here.broker, Names())
    by = client(mode="upstream:http://10.0.0.3:3128")
    assert await reach.dial(by, ("10.0.0.3", 3128)) is None
    found = await reach.refusal(by, ("example.com", 443))
    assert isinstance(found, Refusal)
    assert found.code == "destination_unchecked"


def reached(address: Endpoint, peer: Endpoint, sockname: Endpoint) -> Server:
    """Return a server connection that is open."""
    server = Server(address=address)
    server.peername, server.sockname = peer, sockname
    return server


@pytest.mark.parametrize(
    ("address", "peer", "stays"),
    [
        (("a.test", 443), ("8.8.8.8", 443), True),
        (("a.test", 443), ("10.0.0.1", 443), False),
        (("a.test", 443), ("::ffff:127.0.0.1", 443), False),
        (("a.test", 443), ("203.0.114.9", 443), False),  # this machine's own
        (("led.test", 443), ("10.0.0.9", 9443), True),
    ],
)
async def test_who_was_really_reached_counts(here: Here, address, peer, stays):
    """Whatever was dialled: the connected peer is judged before anything is sent."""
    poison, reach = Poison(), Reach(here.broker, Names())
    door = Door(here.broker, here.notes)
    denials = Denials(here.broker, here.notes, door)
    hooks = EverbearerServers(here.broker, poison, door, reach, denials, frozenset())
    who = client()
    server = reached(address, peer, ("203.0.114.9", 40000))
    hooks.server_connected(ServerConnectionHookData(server, who))
    assert (poison.reason(who) is None) is stays
    told = [(each.where, each.code, each.client) for each in here.events]
    inside = (f"{address[0]}:443", "destination_private", who.peername[0])
    assert told == ([] if stays else [inside])


async def test_a_failing_look_up_connects_nobody(here: Here):
    """Whatever it raises."""

    async def broken(_: Endpoint) -> tuple[str, ...]:
        raise MemoryError

    door = Door(here.broker, here.notes)
    hooks = EverbearerServers(
        here.broker,
        Poison(),
        door,
        Reach(here.broker, broken),
        Denials(here.broker, here.notes, door),
        frozenset(),
    )
    data = ServerConnectionHookData(Server(address=("a.test", 443)), client())
    await hooks.server_connect(data)
    assert data.server.error
