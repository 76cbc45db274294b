"""Destinations that a client asked for and is kept from, told where no request is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.events import Exchanged
from everbearer.policy.hosts import NOWHERE
from everbearer.policy.told import HOST, WHY, cut
from everbearer.proxy.refusal import Refusal

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData

    from everbearer.broker import Broker
    from everbearer.proxy.door import Door
    from everbearer.proxy.notes import Notes

OWN_PORT: Final = Refusal(
    403,
    "own_port",
    "a port of everbearer's own was asked for through everbearer",
    "ask for it without the proxy",
)


class Denials:
    """
    Tells of each such destination once.

    A request that asked for it tells so itself when it has ended. Where there is
    none, in a tunnel or before it, an event of a CONNECT does.
    """

    def __init__(self, broker: Broker, notes: Notes, door: Door) -> None:
        self._broker = broker
        self._notes = notes
        self._door = door

    def connect(self, flow: HTTPFlow, refusal: Refusal, started: float) -> None:
        """Tell that this CONNECT was answered with *refusal*."""
        self._tell(
            flow.client_conn,
            (flow.request.host, flow.request.port),
            refusal,
            id_=flow.id,
            status=refusal.status,
            duration=self._broker.clock.now() - started,
        )

    def connection(self, data: ServerConnectionHookData, refusal: Refusal) -> None:
        """Tell that this connection was not made, or cut off."""
        address = data.server.address
        assert address is not None
        asking = [
            note
            for note in self._notes.by_id.values()
            if note.flow.client_conn is data.client and not note.is_replay
            # One that has not been decided about has nothing to tell.
            if note.verdict is not None and note.target is not None
            if (note.target.host, note.target.port) == address
        ]
        for note in asking:
            note.refusal = note.refusal or refusal
        if not asking:
            self._tell(data.client, address, refusal, id_=data.server.id)

    def _tell(
        self,
        client: Client,
        address: tuple[str, int],
        refusal: Refusal,
        *,
        id_: str,
        status: int = 0,
        duration: float = 0.0,
    ) -> None:
        host, port = address
        why = cut(refusal.detail, WHY)
        self._broker.publish(
            Exchanged(
                at=self._broker.clock.wall(),
                method="CONNECT",
                host=cut(host, HOST),
                path="",
                port=port,
                status=status,
                profile="",
                verdict="refuse",
                code=refusal.code,
                duration=duration,
                client=client.peername[0] if client.peername else "",
                note=why,
                user=self._door.name_of(client),
                probe=host == NOWHERE,
                id=id_,
                reason=why,
                hint=refusal.hint,
            )
        )
