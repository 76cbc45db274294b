"""The addons and the order in which they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.proxy.connections import EverbearerConnections
from everbearer.proxy.guard import EverbearerGuard
from everbearer.proxy.life import EverbearerLife
from everbearer.proxy.notes import Notes
from everbearer.proxy.poison import Poison
from everbearer.proxy.recovery import Recovery
from everbearer.proxy.replay import Replays
from everbearer.proxy.replay_connection import Limits
from everbearer.proxy.tokens import EverbearerTokens

if TYPE_CHECKING:
    from everbearer.broker import Broker


@dataclass(frozen=True, slots=True)
class Addons:
    """
    Two places in the chain.

    `front` stands before mitmproxy's own next_layer and before whatever saves
    flows; `guard` stands behind everything.
    """

    front: tuple[object, ...]
    guard: EverbearerGuard


def assemble(
    broker: Broker, control_ports: frozenset[int], *, keep_bodies: bool
) -> Addons:
    """
    Make the addons of one proxy.

    *control_ports* are out of clients' reach; *keep_bodies* makes short answers
    visible in flows although they are streamed.
    """
    notes, poison = Notes(), Poison()
    recovery = Recovery(broker, Replays(broker, notes, Limits()))
    return Addons(
        front=(
            EverbearerConnections(broker, poison, control_ports),
            EverbearerTokens(broker, notes, recovery, poison, keep_bodies=keep_bodies),
            EverbearerLife(broker),
        ),
        guard=EverbearerGuard(broker, notes),
    )
