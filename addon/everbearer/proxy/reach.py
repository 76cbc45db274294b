"""How far clients from beyond this machine reach."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx
from mitmproxy.proxy.mode_specs import UpstreamMode

from everbearer.policy import reach
from everbearer.policy.hosts import is_loopback, normalise_host
from everbearer.proxy.refusal import from_verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mitmproxy.connection import Client, Server
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.policy.verdict import Refuse
    from everbearer.proxy.refusal import Refusal
    from everbearer.proxy.waiting import Waits

type Endpoint = tuple[str, int]
type LookUp = Callable[[Endpoint], Awaitable[tuple[str, ...]]]

_PATIENCE: Final = 20.0
"""Seconds that the system may take to look a name up."""


_LOOK_UPS: Final = ThreadPoolExecutor(16, "look up a name")
"""Of their own: names that take long hold up nothing but other names."""


class Unreachable(Exception):  # noqa: N818 - of the destination
    """A destination that is not dialled; the text is for the client."""

    def __init__(self, message: str, refused: Refuse | None = None) -> None:
        super().__init__(message)
        self.refused = refused


class Reach:
    """
    Keeps clients of other machines to what is on the internet.

    What the owner names himself is his decision: where `connect_to` leads, and
    his `upstream_proxy` for hosts that rules name.
    """

    def __init__(self, broker: Broker, look_up: LookUp | None = None) -> None:
        self._broker = broker
        self._look_up = look_up or addresses_of

    def is_limited(self, client: Client) -> bool:
        """Tell whether *client* came by a listener that other machines reach."""
        # Users or none: such a listener stays until a restart.
        if not client.sockname[0]:
            return False  # a flow that the owner made in a user interface
        listens_on = client.proxy_mode.listen_host(ctx.options.listen_host)
        return not (is_loopback(client.sockname[0]) and is_loopback(listens_on))

    def elsewhere(self, address: Endpoint) -> Endpoint | None:
        """Return where `connect_to` leads; None: nowhere else."""
        network = self._broker.settings.network
        if not network.connect_to:
            return None
        dial = network.dialled(_normal(address[0]), address[1])
        return None if dial is None else (dial.host, dial.port)

    async def refusal(self, client: Client, address: Endpoint) -> Refusal | None:
        """
        Say early why *client* is not connected there, in words of ours.

        `dial` has the last word: names may lead elsewhere by then.
        """
        if not self.is_limited(client) or self.elsewhere(address):
            return None
        if _upstream(client, self._broker.settings.network.upstream_proxy):
            found = self._unchecked(address[0])
        else:
            found = reach.refusal(address[0], await self._look_up(address))
        return None if found is None else from_verdict(found)

    def of_request(self, flow: HTTPFlow) -> Waits[Refusal | None]:
        """Judge as `refusal` a request that names its destination itself."""
        if flow.is_replay or flow.server_conn.address is not None:
            return None  # who replays is the owner; a connection was judged before
        address = flow.request.data.host, flow.request.data.port
        refusal: Refusal | None = yield self.refusal(flow.client_conn, address)
        return refusal

    async def dial(self, client: Client, address: Endpoint) -> Endpoint | None:
        """
        Return what to dial in place of *address*; None for just that.

        For a limited client it is an IP address that was judged, so that nothing
        is looked up again. Raises Unreachable.
        """
        dial = self.elsewhere(address)
        if dial is not None or not self.is_limited(client):
            return dial
        if address == _upstream(client, self._broker.settings.network.upstream_proxy):
            return None
        addresses = await self._look_up(address)
        refused = reach.refusal(address[0], addresses)
        if refused is not None:
            raise Unreachable(refused.reason, refused)
        if not addresses:
            raise Unreachable(f"{address[0]} has no address")
        return addresses[0], address[1]

    def may_stay(self, client: Client, server: Server) -> bool:
        """Tell whether *client* may talk to who was reached, whatever was dialled."""
        address, peer = server.address, server.peername
        if not self.is_limited(client) or address is None or peer is None:
            return True
        upstream = _upstream(client, self._broker.settings.network.upstream_proxy)
        if self.elsewhere(address) or address == upstream:
            return True
        return reach.is_public(peer[0]) and not is_own(server)

    def _unchecked(self, host: str) -> Refuse | None:
        ruled = self._broker.rules.covers(_normal(host))
        return None if ruled else reach.unchecked(host)


def is_own(server: Server) -> bool:
    """Tell whether this machine was reached: then both ends have one address."""
    if not server.peername:
        return False
    host = unmapped(server.peername[0])
    own = server.sockname and unmapped(server.sockname[0])
    return is_loopback(host) or host == own


def unmapped(host: str) -> str:
    """Return the address without its zone; an IPv4 one that wears IPv6, bare."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(getattr(address, "ipv4_mapped", None) or address)


def _normal(host: str) -> str:
    try:
        return normalise_host(host)
    except ValueError:
        return host


def _upstream(client: Client, configured: str) -> Endpoint | None:
    """Return the address of the proxy that everything of *client* goes by."""
    mode = client.proxy_mode
    if isinstance(mode, UpstreamMode):
        return mode.address
    if not configured:
        return None
    host, _, port = configured.removeprefix("http://").rpartition(":")
    return host.strip("[]"), int(port)


async def addresses_of(address: Endpoint) -> tuple[str, ...]:
    """Look a name up, once; nothing for one that has no address."""
    loop = asyncio.get_running_loop()
    ask = functools.partial(socket.getaddrinfo, *address, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await loop.run_in_executor(_LOOK_UPS, ask)
    except (OSError, UnicodeError, TimeoutError):
        return ()
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))
