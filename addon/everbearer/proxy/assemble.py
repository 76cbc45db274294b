"""The addons and the order in which they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.proxy import pressure
from everbearer.proxy.authorize import Authorizer
from everbearer.proxy.bodies import EverbearerBodies
from everbearer.proxy.connections import EverbearerConnections
from everbearer.proxy.denials import Denials
from everbearer.proxy.direct import Direct
from everbearer.proxy.door import Door
from everbearer.proxy.exchanges import EverbearerExchanges
from everbearer.proxy.guard import EverbearerGuard
from everbearer.proxy.life import EverbearerLife
from everbearer.proxy.notes import Notes
from everbearer.proxy.options import IDLE_TIMEOUT
from everbearer.proxy.poison import Poison
from everbearer.proxy.reach import Reach
from everbearer.proxy.recovery import Recovery
from everbearer.proxy.replay import Replays
from everbearer.proxy.replay_connection import Limits
from everbearer.proxy.servers import EverbearerServers
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.proxy.trust_hint import EverbearerTrustHint
from everbearer.schemes import SCHEMES
from everbearer.schemes.contract import Need

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.proxy.shown.parts import Parts


@dataclass(frozen=True, slots=True)
class Addons:
    """
    Places in the chain.

    `front` stands before mitmproxy's own next_layer and before whatever saves
    flows; `guard` stands behind everything. Those `alone` hear nothing of requests:
    they may stand anywhere before the guard.
    """

    front: tuple[object, ...]
    guard: EverbearerGuard
    alone: tuple[object, ...] = ()


def assemble(
    broker: Broker, control_ports: frozenset[int], *, looked_at: bool
) -> Addons:
    """
    Make the addons of one proxy.

    *control_ports* are out of clients' reach. Where flows are *looked_at*, short
    answers are visible in them although they are streamed, and what was done with
    them is told.
    """
    pressure.apply()
    notes, poison, direct = Notes(), Poison(), Direct()
    door, reach = Door(broker, notes), Reach(broker)
    denials = Denials(broker, notes, door)
    authorizer = Authorizer(broker)
    recovery = Recovery(broker, authorizer, Replays(authorizer, notes, Limits()))
    shown = _parts(broker, notes) if looked_at else None
    front: list[object] = [
        *(shown.before if shown else ()),
        EverbearerConnections(broker, poison, direct, door, reach, denials),
        EverbearerServers(broker, poison, door, reach, denials, control_ports),
        EverbearerTrustHint(broker),
        EverbearerTokens(
            broker,
            notes,
            authorizer,
            recovery,
            poison,
            direct,
            door,
            reach,
            keep_bodies=looked_at,
        ),
        EverbearerExchanges(broker, notes),
        *(shown.behind if shown else ()),
        EverbearerLife(broker, shown.finish if shown else None),
    ]
    # Every request pays for a hook: only where a scheme has a use for it.
    if any(Need.BODY_DIGEST in scheme.needs for scheme in SCHEMES.values()):
        # As long as any other request may take.
        limits = Limits(patience=IDLE_TIMEOUT, deadline=IDLE_TIMEOUT)
        sender = Replays(authorizer, notes, limits)
        front.append(EverbearerBodies(broker, notes, authorizer, sender))
    return Addons(
        front=tuple(front),
        guard=EverbearerGuard(broker, notes),
        alone=shown.alone if shown else (),
    )


def _parts(broker: Broker, notes: Notes) -> Parts:
    from everbearer.proxy.shown.parts import parts  # noqa: PLC0415 - see there

    return parts(broker, notes)
