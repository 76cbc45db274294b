"""
Connections: who is let in, what is decrypted, where it really dials.

These hooks come before a request exists. What fails here poisons the client's
connection: mitmproxy would go on with the failure, we refuse what comes by it.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Final

from mitmproxy.connection import Server
from mitmproxy.exceptions import AddonHalt
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layers
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.tls import parse_client_hello
from mitmproxy.proxy.mode_specs import ReverseMode

from everbearer.policy.hosts import is_loopback, normalise_host
from everbearer.proxy import internals
from everbearer.proxy.refusal import Refusal, answer
from everbearer.report import report
from everbearer.settings.model import Unmatched

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.layer import NextLayer
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData
    from mitmproxy.tls import TlsData

    from everbearer.broker import Broker
    from everbearer.proxy.direct import Direct
    from everbearer.proxy.poison import Poison

logger = logging.getLogger(__name__)


class EverbearerConnections:
    """Sets connections up so that the policy sees every request it must see."""

    def __init__(
        self,
        broker: Broker,
        poison: Poison,
        direct: Direct,
        control_ports: frozenset[int],
    ) -> None:
        self._broker = broker
        self._poison = poison
        self._direct = direct
        self._control_ports = control_ports
        # By the server's id: the address it has, and the one dialled in its place.
        self._dialled: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {}

    # -- clients ------------------------------------------------------------

    def client_connected(self, client: Client) -> None:
        """Turn away whoever comes from beyond this machine."""
        try:
            if not is_loopback(client.sockname[0]):
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

    def http_connect(self, flow: HTTPFlow) -> None:
        """Refuse tunnels to hosts that no rule names, where it is so configured."""
        try:
            if self._broker.settings.proxy.unmatched_hosts is not Unmatched.REFUSE:
                return
            if not self._broker.rules.covers_raw(flow.request.host):
                answer(flow, _UNMATCHED, self._broker.problems)
        except BaseException as error:
            report("a CONNECT could not be judged and was refused", error)
            self._poison.add(flow.client_conn, "judging a CONNECT")

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

    # -- servers ------------------------------------------------------------

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Dial where `connect_to` says."""
        try:
            address = data.server.address
            if address is None:
                return
            dial = self._elsewhere(address)
            if dial is not None:
                self._dialled[data.server.id] = address, dial
                data.server.address = dial
        except BaseException as error:
            report("a connection was refused", error)
            data.server.error = "everbearer failed"

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """
        Put the original address back: names and certificates go by it.

        Here, too, is known who was reached: if it is ourselves, however it was
        called, nobody gets further (a request would go round and round).
        """
        try:
            self._restore(data.server)
            peer = data.server.peername
            if peer and self._is_ours(_unmapped(peer[0]), peer[1]):
                logger.warning("cut a client off that asked for a port of our own")
                self._poison.add(data.client, "being asked for a port of its own")
                internals.abort(data.client, data.server)
        except BaseException as error:
            report("a connection could not be judged", error)
            self._poison.add(data.client, "setting up the connection to the server")

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Put the original address back, and tell who cannot be reached."""
        try:
            dialled = data.server.address
            self._restore(data.server)
            address = data.server.address
            if address is None or not self._covers(address[0]):
                return
            where = f"{address[0]}:{address[1]}"
            if dialled is not None and dialled != address:
                where += f" where connect_to leads it, {dialled[0]}:{dialled[1]}"
            logger.warning("cannot reach %s: %s", where, data.server.error)
        except BaseException as error:
            report("an address could not be restored", error)

    def tls_start_server(self, data: TlsData) -> None:
        """
        Name the server as TLS and certificates do, without a dot at its end.

        RFC 6066 §3. mitmproxy takes the client's spelling. One that OpenSSL does
        not take (a dot, a label that ends with a hyphen) would end its hook half
        way, and the client would wait for ever: the server is then checked
        against the name dialled, else against one that no certificate has.
        """
        try:
            server, client = data.conn, data.context.client
            assert isinstance(server, Server)
            assert server.address is not None
            dialled = server.address[0]
            names = (server.sni or client.sni or dialled, dialled, _NOBODY)
            server.sni = next(filter(_is_name, names)).removesuffix(".")
        except BaseException as error:
            report("a server could not be named", error)
            self._poison.add(data.context.client, "naming the server")

    def _is_ours(self, host: str, port: int) -> bool:
        if port in self._control_ports:
            return is_loopback(host)
        return (host, port) in internals.listening()

    def _restore(self, server: Server) -> None:
        original, dialled = self._dialled.pop(server.id, (None, None))
        # What a script has changed meanwhile is not ours to put back: the policy
        # sees where the connection really goes.
        if original is not None and server.address == dialled:
            internals.set_address(server, original)

    def _elsewhere(self, address: tuple[str, int]) -> tuple[str, int] | None:
        network = self._broker.settings.network
        if not network.connect_to:
            return None
        try:
            host = normalise_host(address[0])
        except ValueError:
            host = address[0]
        dial = network.dialled(host, address[1])
        return None if dial is None else (dial.host, dial.port)


_NOBODY: Final = "invalid"
"""RFC 6761 §6.4: nobody has this name."""

_EXPLICIT = (modes.HttpProxy, modes.HttpUpstreamProxy)

_UNMATCHED = Refusal(
    403,
    "unmatched_refused",
    "no rule names this host",
    'add a rule, or set proxy.unmatched_hosts = "tunnel"',
)


def _is_name(text: str) -> bool:
    """Tell whether a certificate can be checked against *text*."""
    try:
        # As mitmproxy does: it decodes the names that clients ask for.
        normalise_host(text.encode("idna").decode("ascii"))
    except ValueError:
        return False
    return True


def _unmapped(host: str) -> str:
    """Return the address without its zone; an IPv4 one that wears IPv6, bare."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(getattr(address, "ipv4_mapped", None) or address)


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
