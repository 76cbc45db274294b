"""
Connections: who is let in, and what is decrypted.

These hooks come before a request exists. What fails here poisons the client's
connection: mitmproxy would go on with the failure, we refuse what comes by it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mitmproxy.exceptions import AddonHalt
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layers
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.tls import parse_client_hello
from mitmproxy.proxy.mode_specs import ReverseMode

from everbearer.proxy import internals
from everbearer.proxy.door import is_near
from everbearer.proxy.refusal import Refusal, answer, fail_closed
from everbearer.report import report
from everbearer.settings.model import Unmatched

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.layer import NextLayer

    from everbearer.broker import Broker
    from everbearer.proxy.denials import Denials
    from everbearer.proxy.direct import Direct
    from everbearer.proxy.door import Door
    from everbearer.proxy.poison import Poison
    from everbearer.proxy.reach import Reach

logger = logging.getLogger(__name__)


class EverbearerConnections:
    """Sets connections up so that the policy sees every request it must see."""

    def __init__(
        self,
        broker: Broker,
        poison: Poison,
        direct: Direct,
        door: Door,
        reach: Reach,
        denials: Denials,
    ) -> None:
        self._broker = broker
        self._poison = poison
        self._direct = direct
        self._door = door
        self._reach = reach
        self._denials = denials

    # -- clients ------------------------------------------------------------

    def client_connected(self, client: Client) -> None:
        """Turn away whoever comes from beyond this machine, where nobody is a user."""
        try:
            guarded = self._broker.rules.guarded
            if not guarded and not is_near(client):
                client.error = (
                    f"everbearer serves loopback only, and {client.sockname[0]} is not"
                )
        except BaseException as error:
            report("a client could not be judged and was turned away", error)
            client.error = "everbearer failed"

    def client_disconnected(self, client: Client) -> None:
        """Close what mitmproxy may have left open of a connection that it ended."""
        try:
            internals.abort(client, client)
        except BaseException as error:
            report("a connection could not be closed", error)

    async def http_connect(self, flow: HTTPFlow) -> None:
        """Judge who asks for a tunnel, and whereto, before anything is dialled."""
        try:
            shown = self._door.take(flow)
            if flow.response or flow.error:
                return
            started = self._broker.clock.now()
            refusal = await self._door.open(flow, shown)
            if refusal is None:
                refusal = await self._unwanted(flow)
                if refusal is not None:
                    self._denials.connect(flow, refusal, started)
            if refusal is not None:
                answer(flow, refusal, self._broker.standing)
        except BaseException as error:
            self._poison.add(flow.client_conn, "judging a CONNECT")
            fail_closed(flow, None, error, self._broker.standing)

    def http_connected(self, flow: HTTPFlow) -> None:
        """Remember by whom the tunnel was opened."""
        try:
            self._door.opened(flow)
        except BaseException as error:
            report("a tunnel could not be remembered", error)
            self._poison.add(flow.client_conn, "opening a tunnel")

    async def _unwanted(self, flow: HTTPFlow) -> Refusal | None:
        """Refuse hosts that no rule names, if so configured, or out of bounds."""
        host, port = flow.request.host, flow.request.port
        refused = self._broker.settings.proxy.unmatched_hosts is Unmatched.REFUSE
        if refused and not self._broker.rules.covers_raw(host):
            return _UNMATCHED
        return await self._reach.refusal(flow.client_conn, (host, port))

    def next_layer(self, nextlayer: NextLayer) -> None:
        """
        Decrypt what a rule names, tunnel the rest.

        mitmproxy's own `allow_hosts` compares raw text: a trailing dot or a
        capital letter turns a ruled host into an opaque tunnel.
        """
        try:
            self._next_layer(nextlayer)
        except AddonHalt:
            raise
        except BaseException as error:
            report("a connection could not be judged", error)
            self._poison.add(nextlayer.context.client, "judging a connection")

    def _next_layer(self, nextlayer: NextLayer) -> None:
        context = nextlayer.context
        if isinstance(context.layers[-1], modes.ReverseProxy):
            mode = context.client.proxy_mode
            assert isinstance(mode, ReverseMode)
            # With keep_host_header mitmproxy leaves this open to the client's SNI.
            context.server.sni = mode.address[0]
            return
        if isinstance(context.layers[-1], _EXPLICIT):
            if not self._direct.see(context.client, nextlayer.data_client()):
                raise AddonHalt  # more of the first line is to come
            return
        if not nextlayer.layer and _in_tunnel(nextlayer):
            self._tunnelled(nextlayer)

    def _tunnelled(self, nextlayer: NextLayer) -> None:
        context = nextlayer.context
        assert context.server.address is not None
        if not self._door.is_open(context.client):
            internals.abort(context.client, context.client)
            raise AddonHalt  # nobody was let in: a hook has failed
        data = nextlayer.data_client()
        if self._covers(context.server.address[0]) or self._covers(context.client.sni):
            _decrypt(nextlayer, data)
            return
        if self._broker.settings.proxy.unmatched_hosts is Unmatched.INSPECT:
            return
        if isinstance(context.layers[-1], layers.ClientTLSLayer):
            return  # decrypted because of its SNI: mitmproxy finds out what it is
        if starts_like_tls_record(data):
            hello = _client_hello(data)
            if self._covers(hello):
                _decrypt(nextlayer, data)
                return
        elif not data and not nextlayer.data_server():
            raise AddonHalt  # nobody has spoken yet
        nextlayer.layer = layers.TCPLayer(context, ignore=True)

    def _covers(self, name: str | None) -> bool:
        return name is not None and self._broker.rules.covers_raw(name)


_EXPLICIT = (modes.HttpProxy, modes.HttpUpstreamProxy)

_UNMATCHED = Refusal(
    403,
    "unmatched_refused",
    "no rule names this host",
    'add a rule, or set proxy.unmatched_hosts = "tunnel"',
)


def _in_tunnel(nextlayer: NextLayer) -> bool:
    """Tell whether this is inside a CONNECT, whose target is then known."""
    return nextlayer.context.server.address is not None and any(
        isinstance(layer, layers.HttpLayer) for layer in nextlayer.context.layers
    )


def _decrypt(nextlayer: NextLayer, data: bytes) -> None:
    context = nextlayer.context
    if isinstance(context.layers[-1], layers.ClientTLSLayer):
        nextlayer.layer = layers.HttpLayer(context, HTTPMode.transparent)
    elif not data:
        raise AddonHalt
    elif starts_like_tls_record(data):
        server = layers.ServerTLSLayer(context)
        server.child_layer = layers.ClientTLSLayer(context)
        nextlayer.layer = server
    else:
        # Whatever this is, it is read as HTTP: nothing opaque reaches the host.
        nextlayer.layer = layers.HttpLayer(context, HTTPMode.transparent)


def _client_hello(data: bytes) -> str | None:
    try:
        hello = parse_client_hello(data)
    except ValueError:
        return None  # not TLS after all
    if hello is None:
        raise AddonHalt  # more of it is to come
    return hello.sni
