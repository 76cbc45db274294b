"""
Servers: what is really dialled, and who was reached.

These hooks know no request. What fails here poisons the client's connection:
mitmproxy would go on with the failure, we refuse what comes by it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from mitmproxy.connection import Server

from everbearer.policy.hosts import is_loopback, normalise_host
from everbearer.policy.reach import private
from everbearer.proxy import internals
from everbearer.proxy.denials import OWN_PORT, Denials
from everbearer.proxy.reach import Unreachable, is_own, unmapped
from everbearer.proxy.refusal import from_verdict
from everbearer.report import report

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData
    from mitmproxy.tls import TlsData

    from everbearer.broker import Broker
    from everbearer.proxy.door import Door
    from everbearer.proxy.poison import Poison
    from everbearer.proxy.reach import Reach

logger = logging.getLogger(__name__)


class EverbearerServers:
    """Has connections go where they may and should, and nowhere else."""

    def __init__(
        self,
        broker: Broker,
        poison: Poison,
        door: Door,
        reach: Reach,
        denials: Denials,
        control_ports: frozenset[int],
    ) -> None:
        self._broker = broker
        self._poison = poison
        self._door = door
        self._reach = reach
        self._denials = denials
        self._control_ports = control_ports
        # By the server's id: the address it has, and the one dialled in its place.
        self._dialled: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {}

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Dial where `connect_to` says; for others' clients what they may reach."""
        try:
            address = data.server.address
            if address is None:
                return
            if not self._is_let_in(data.client):
                data.server.error = "everbearer connects its users only"
                return
            dial = await self._reach.dial(data.client, address)
            if dial is not None:
                self._dialled[data.server.id] = address, dial
                data.server.address = dial
        except Unreachable as refused:
            data.server.error = str(refused)
            self._denied(data, refused)
        except BaseException as error:
            report("a connection was refused", error)
            data.server.error = "everbearer failed"

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """
        Put the original address back: names and certificates go by it.

        Here, too, is known who was reached: if it is ourselves, however it was
        called, nobody gets further (a request would go round and round). Nor does
        a client of another machine where it may not.
        """
        try:
            self._restore(data.server)
            if self._is_ours(data.server):
                self._poison.add(data.client, "being asked for a port of its own")
                internals.abort(data.client, data.server)
                self._denials.connection(data, OWN_PORT)
            elif not self._reach.may_stay(data.client, data.server):
                self._poison.add(data.client, "being led where nobody is let")
                internals.abort(data.client, data.server)
                assert data.server.address is not None
                inside = private(data.server.address[0])
                self._denials.connection(data, from_verdict(inside))
        except BaseException as error:
            report("a connection could not be judged", error)
            self._poison.add(data.client, "setting up the connection to the server")

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Put the original address back, and tell who cannot be reached."""
        try:
            dialled = data.server.address
            self._restore(data.server)
            address = data.server.address
            if address is None or not self._broker.rules.covers_raw(address[0]):
                return
            where = f"{address[0]}:{address[1]}"
            if dialled is not None and dialled == self._reach.elsewhere(address):
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

    def _denied(self, data: ServerConnectionHookData, why: Unreachable) -> None:
        try:
            if why.refused is not None:
                self._denials.connection(data, from_verdict(why.refused))
        except BaseException as error:
            report("a refused connection could not be told of", error)

    def _is_let_in(self, client: Client) -> bool:
        # Who replays a flow in a user interface is nobody's client.
        replayed = internals.connection_handler(client) is None
        return replayed or self._door.is_open(client)

    def _is_ours(self, server: Server) -> bool:
        if not server.peername:
            return False
        host, port = unmapped(server.peername[0]), server.peername[1]
        if port in self._control_ports:
            return is_loopback(host)
        listening = internals.listening()
        if (host, port) in listening:
            return True
        on_all = {("0.0.0.0", port), ("::", port)} & listening  # noqa: S104 - no bind
        return bool(on_all) and is_own(server)

    def _restore(self, server: Server) -> None:
        original, dialled = self._dialled.pop(server.id, (None, None))
        # What a script has changed meanwhile is not ours to put back: the policy
        # sees where the connection really goes.
        if original is not None and server.address == dialled:
            internals.set_address(server, original)


_NOBODY: Final = "invalid"
"""RFC 6761 §6.4: nobody has this name."""


def _is_name(text: str) -> bool:
    """Tell whether a certificate can be checked against *text*."""
    try:
        # As mitmproxy does: it decodes the names that clients ask for.
        normalise_host(text.encode("idna").decode("ascii"))
    except ValueError:
        return False
    return True
