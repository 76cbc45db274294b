"""
The door: whoever comes shows to be a user, where there are users.

A request at an explicit proxy says so itself, in a tunnel the CONNECT that opened
it; at a reverse listener each request does, in a field of our own. The fields are
taken out before anything else sees the flow, whoever may be let in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from mitmproxy.proxy.mode_specs import ReverseMode

from everbearer.events import ConfigurationChanged, UserRefused
from everbearer.policy import users
from everbearer.policy.hosts import is_loopback
from everbearer.policy.users import FIELDS, PROXY_FIELD, REVERSE_FIELD
from everbearer.policy.verdict import Refuse
from everbearer.policy.view import UserView
from everbearer.proxy import internals
from everbearer.proxy.refusal import Refusal, from_verdict
from everbearer.report import report
from everbearer.users.turns import Crowded
from everbearer.users.verifier import Verifier

if TYPE_CHECKING:
    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.events import Event
    from everbearer.proxy.notes import Notes
    from everbearer.proxy.waiting import Waits
    from everbearer.users.user import User

type Shown = tuple[str, ...]
"""What a client said of itself: the values of the listener's field."""

_OWNED: Final = {name.lower().encode() for name in FIELDS}


class Door:
    """Lets users in, and knows who opened which connection."""

    def __init__(self, broker: Broker, notes: Notes) -> None:
        self._broker = broker
        self._notes = notes
        self._verifier = Verifier(lambda: broker.settings.proxy.users)
        self._opening: WeakKeyDictionary[Client, User] = WeakKeyDictionary()
        # By whom a tunnel was opened; None where there were no users then.
        self._tunnels: WeakKeyDictionary[Client, User | None] = WeakKeyDictionary()
        # Who was last let in by it.
        self._known: WeakKeyDictionary[Client, User] = WeakKeyDictionary()
        broker.subscribe(self._see)

    def take(self, flow: HTTPFlow) -> Shown:
        """Take out of the request, for good, what it says of users."""
        fields = flow.request.headers
        wanted = REVERSE_FIELD if _is_reverse(flow.client_conn) else PROXY_FIELD
        shown: Shown = ()
        if not _OWNED.isdisjoint([name.lower() for name, _ in fields.fields]):
            shown = tuple(fields.get_all(wanted))
            for name in FIELDS:
                fields.pop(name, None)
        state = internals.backup_of(flow)
        while isinstance(state, dict):
            _forget(state)
            state = state.get("backup")
        return shown

    async def open(self, flow: HTTPFlow, shown: Shown) -> Refusal | None:
        """Judge a CONNECT; None lets it go on."""
        if not self._verifier.guards:
            return self._beyond(flow)
        user = await self._verified(flow, shown)
        if isinstance(user, Refusal):
            return user
        self._opening[flow.client_conn] = user
        return None

    def opened(self, flow: HTTPFlow) -> None:
        """Remember who opened the tunnel that is there now."""
        client = flow.client_conn
        self._tunnels[client] = self._opening.pop(client, None)

    def judge(self, flow: HTTPFlow, shown: Shown) -> Waits[UserView | Refusal | None]:
        """Return who sent the request; None where there are no users."""
        if not self._verifier.guards:
            return self._beyond(flow)
        client = flow.client_conn
        if client not in self._tunnels:
            user: User | Refusal = yield self._verified(flow, shown)
            return user if isinstance(user, Refusal) else _view(user)
        found = self.through(client)
        if found is None:
            gone = users.gone()
            self._tell(flow, gone)
            refusal = from_verdict(gone)
            return refusal.having(("Connection", "close"))
        return found

    def through(self, client: Client) -> UserView | None:
        """Return who is now behind the tunnel of *client*; None for nobody."""
        user = self._tunnels.get(client)
        now = self._verifier.now(user) if user is not None else None
        return _view(now) if now is not None else None

    def is_open(self, client: Client) -> bool:
        """
        Tell whether anything may be dialled for *client*.

        At a reverse listener its one server is, before any request.
        """
        if not self._verifier.guards:
            return is_near(client)
        return _is_reverse(client) or client in self._known

    def name_of(self, client: Client) -> str:
        """Return the name of who was last let in by *client*, "" for nobody."""
        user = self._known.get(client)
        return user.name if user is not None else ""

    def _beyond(self, flow: HTTPFlow) -> Refusal | None:
        """Refuse, where there are no users, whom another machine may have sent."""
        # Judged when he connected; but then there may have been users.
        if is_near(flow.client_conn):
            return None
        beyond = users.beyond()
        self._tell(flow, beyond)
        return from_verdict(beyond).having(("Connection", "close"))

    async def _verified(self, flow: HTTPFlow, shown: Shown) -> User | Refusal:
        client = flow.client_conn
        reverse = _is_reverse(client)
        found = users.claim(shown, reverse=reverse)
        if isinstance(found, Refuse):
            known = None if shown else await self._known_process(client)
            return known or self._refused(flow, found)
        try:
            # What the client sends meanwhile is not read.
            async with internals.reading_paused(client):
                user = await self._verifier.verify(
                    found.name, found.password, client.peername[0]
                )
        except Crowded:
            self._tell(flow, users.crowded())
            return _CROWDED
        if user is None:
            return self._refused(flow, users.wrong(reverse=reverse))
        self._known[client] = user
        return user

    async def _known_process(self, client: Client) -> User | None:
        peer, own = client.peername[:2], client.sockname[:2]
        async with internals.reading_paused(client):
            user = await self._verifier.known(peer, own)
        if user is not None:
            self._known[client] = user
        return user

    def _refused(self, flow: HTTPFlow, verdict: Refuse) -> Refusal:
        self._tell(flow, verdict)
        challenge = (
            ("WWW-Authenticate", users.REVERSE_CHALLENGE)
            if _is_reverse(flow.client_conn)
            else ("Proxy-Authenticate", users.PROXY_CHALLENGE)
        )
        return from_verdict(verdict).having(challenge)

    def _tell(self, flow: HTTPFlow, verdict: Refuse) -> None:
        # Without the name that was said: many a password was typed as a name.
        self._broker.publish(
            UserRefused(
                at=self._broker.clock.wall(),
                client=flow.client_conn.peername[0],
                code=verdict.code,
                message=verdict.reason,
            )
        )

    def _see(self, event: Event) -> None:
        """
        Cut connections off that are nobody's now, where no request is under way.

        Those are opaque, or wait: a request that comes by one is refused anyway.
        """
        if not isinstance(event, ConfigurationChanged):
            return
        busy = {id(note.flow.client_conn) for note in self._notes.by_id.values()}
        for client in self._nobodys():
            if id(client) not in busy:
                try:
                    internals.abort(client, client)
                except BaseException as error:
                    report("a connection of somebody who is gone stays open", error)

    def _nobodys(self) -> list[Client]:
        if self._verifier.guards:
            return [each for each in self._tunnels if self.through(each) is None]
        return [each for each in internals.clients() if not is_near(each)]


def is_near(client: Client) -> bool:
    """Tell whether *client* came to an address that this machine alone reaches."""
    return is_loopback(client.sockname[0])


def _view(user: User) -> UserView:
    return UserView(user.name, user.profiles)


def _is_reverse(client: Client) -> bool:
    return isinstance(client.proxy_mode, ReverseMode)


def _forget(state: dict[str, Any]) -> None:
    request = state.get("request")
    if request:
        request["headers"] = tuple(
            (name, value)
            for name, value in request.get("headers", ())
            if name.lower() not in _OWNED
        )


_CROWDED: Final = from_verdict(users.crowded(), retry_after=1)
