"""
The hooks of one request: look, decide, credential, apply; and the 401.

mitmproxy logs what a hook raises and sends the request all the same. So each
hook is one `try` around everything, `BaseException` too, and what is caught
becomes a refusal.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from mitmproxy.net import server_spec

from everbearer.errors import stopping
from everbearer.policy.head import PROFILE_FIELD
from everbearer.policy.verdict import Inject, Refuse
from everbearer.policy.view import OWNER
from everbearer.proxy.body import digest
from everbearer.proxy.cleaned import clean
from everbearer.proxy.credential_for import credential_for
from everbearer.proxy.exchanged import exchanged
from everbearer.proxy.fields import Fields, drop
from everbearer.proxy.look import listener_of, look
from everbearer.proxy.notes import Note, Target
from everbearer.proxy.redact import strip
from everbearer.proxy.refusal import (
    Refusal,
    fail_closed,
    from_verdict,
    refuse,
)
from everbearer.proxy.spool import Budget
from everbearer.proxy.streaming import (
    hold_answer,
    hold_request,
    stream_answer,
    stream_request,
)
from everbearer.proxy.waiting import begin
from everbearer.report import report
from everbearer.schemes.existing import classify

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.policy.view import UserView
    from everbearer.proxy.authorize import Authorizer
    from everbearer.proxy.direct import Direct
    from everbearer.proxy.door import Door, Shown
    from everbearer.proxy.notes import Notes
    from everbearer.proxy.poison import Poison
    from everbearer.proxy.reach import Reach
    from everbearer.proxy.recovery import Recovery
    from everbearer.proxy.waiting import Waits
    from everbearer.schemes.contract import Credential

logger = logging.getLogger(__name__)

_NOT_HEALED: Final = "a 401 could not be healed: the client gets it as it is"
_NOT_ENDED: Final = "a flow could not be ended in order: it loses its head"


class EverbearerTokens:
    """Puts tokens into requests, and heals their 401s."""

    def __init__(
        self,
        broker: Broker,
        notes: Notes,
        authorizer: Authorizer,
        recovery: Recovery,
        poison: Poison,
        direct: Direct,
        door: Door,
        reach: Reach,
        *,
        keep_bodies: bool,
    ) -> None:
        self._broker = broker
        self._notes = notes
        self._authorizer = authorizer
        self._recovery = recovery
        self._poison = poison
        self._direct = direct
        self._door = door
        self._reach = reach
        self._budget = Budget(broker.settings.proxy.spool_limit)
        via = broker.settings.network.upstream_proxy
        self._via = server_spec.parse(via, "http") if via else None
        self._keep_bodies = keep_bodies
        # Those of the start: other listeners take a restart.
        self._bindings = {
            str(x.address): x.profile for x in broker.settings.listeners if x.profile
        }

    # -- the way out --------------------------------------------------------

    def requestheaders(self, flow: HTTPFlow) -> Awaitable[None] | None:
        """Decide about the request before anything of it has left."""
        try:
            rest = begin(self._begin(flow))
        except BaseException as error:
            self._fail_closed(flow, error)
            return None
        # For most there is nothing to wait for, and no coroutine is made.
        return self.finish(flow, rest) if rest is not None else None

    async def finish(self, flow: HTTPFlow, rest: Awaitable[None]) -> None:
        """Do the *rest* of `requestheaders`, for a request that has to wait."""
        try:
            await rest
        except BaseException as error:
            self._fail_closed(flow, error)

    def _fail_closed(self, flow: HTTPFlow, error: BaseException) -> None:
        note = self._notes.by_id.get(flow.id)
        fail_closed(flow, note, error, self._broker.standing)

    def _begin(self, flow: HTTPFlow) -> Waits[None]:
        shown = self._door.take(flow)
        known = self._notes.get(flow)
        taken = flow.response or flow.error or not flow.live
        if taken or (known is not None and known.is_replay):
            return
        note = self._notes.add(Note(flow, self._broker.clock.now()))
        yield from self._prepare(note, shown)

    def _prepare(self, note: Note, shown: Shown) -> Waits[None]:
        flow = note.flow
        refusal = yield from self._judge(note, shown)
        drop(flow.request.headers, PROFILE_FIELD)
        if refusal is not None:
            note.refusal = refusal
            refuse(flow, refusal, self._broker.standing)
            return
        verdict = note.verdict
        if isinstance(verdict, Inject):
            if self._authorizer.needs_body(verdict.profile):
                self._look_for_body(note)
            if not note.awaits_body:
                note.credential = yield from credential_for(
                    note, verdict.profile, self._broker
                )
                if flow.error or not flow.live:
                    return  # the client has gone meanwhile
                if self._notes.closed:
                    raise stopping()
                self._apply(note, note.credential)
        assert note.view is not None
        if note.view.listener.reverse:
            flow.request.host_header = note.view.listener.reverse
            # mitmproxy's reverse mode knows of no other proxy.
            flow.server_conn.via = flow.server_conn.via or self._via
        start = hold_request if note.awaits_body else stream_request
        start(note, self._broker.settings.proxy, self._budget)
        if not note.awaits_body:
            note.prepared = self._broker.clock.now() - note.started
        note.target = Target.of(flow)

    def _judge(self, note: Note, shown: Shown) -> Waits[Refusal | None]:
        """Decide; return why the request does not leave, None where it may."""
        flow = note.flow
        poisoned = self._poison.reason(flow.client_conn)
        if poisoned is not None:
            return poisoned
        user = OWNER if flow.is_replay else (yield from self._door.judge(flow, shown))
        if isinstance(user, Refusal):
            return user
        self._decide(note, user)
        if isinstance(note.verdict, Refuse):
            return from_verdict(note.verdict)
        return (yield from self._reach.of_request(flow))

    def _decide(self, note: Note, user: UserView | None) -> None:
        flow, settings = note.flow, self._broker.settings
        listener = listener_of(flow.client_conn, self._bindings)
        client = flow.client_conn.peername[0]
        fields = Fields(flow.request.headers)
        authorization = classify(
            fields.all("authorization"),
            placeholder=settings.proxy.placeholder,
            issued=self._broker.issued.handed_out.profiles,
            redeemed=self._broker.issued.redeemed.profiles,
            rejected_for=lambda token: self._recovery.rejected_for(client, token),
        )
        direct = flow.client_conn in self._direct
        note.view = look(
            flow, listener, authorization, direct=direct, user=user, fields=fields
        )
        note.verdict = self._broker.decide(note.view)
        flow.metadata["everbearer.reason"] = note.verdict.code
        if user is not None:
            flow.metadata["everbearer.user"] = user.name

    def _look_for_body(self, note: Note) -> None:
        """Take the digest of a body that is there; else let the request wait."""
        assert note.view is not None
        content = note.flow.request.raw_content if note.flow.is_replay else None
        if content is not None or note.view.body_length == 0:
            note.body_digest = digest([content or b""])
        else:
            note.awaits_body = True

    def _apply(self, note: Note, credential: Credential) -> None:
        assert note.view is not None
        note.changes = self._authorizer.authorize(
            note.flow, note.view, credential, note.body_digest
        )
        note.flow.metadata["everbearer.profile"] = credential.profile
        note.flow.metadata["everbearer.token"] = credential.token.fingerprint

    # -- the way back -------------------------------------------------------

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Let answers flow as they come; hold those that may be healed."""
        try:
            note = self._notes.get(flow)
            if note is None or note.is_replay or flow.response is None:
                return
            if flow.websocket is not None or note.refusal is not None:
                return
            if self._recovery.wants(note):
                hold_answer(note)
            else:
                stream_answer(note, keep_copy=self._keep_bodies)
        except BaseException as error:
            report("an answer could not be looked at", error)

    def response(self, flow: HTTPFlow) -> Awaitable[None] | None:
        """Heal a 401; take the token out of the flow; tell what happened."""
        try:
            note = self._notes.get(flow)
            if note is not None and self._recovery.has_work(note):
                return self.heal(note)
        except BaseException as error:
            report(_NOT_HEALED, error)
        self.error(flow)
        return None

    async def heal(self, note: Note) -> None:
        """Do the rest of `response`, for an answer that may be replaced."""
        try:
            await self._recovery.recover(note)
        except BaseException as error:
            report(_NOT_HEALED, error)
        self.error(note.flow)

    def error(self, flow: HTTPFlow) -> None:
        """Take the token out of a flow that has ended, with an answer or without."""
        try:
            self._end(flow)
        except BaseException as error:
            # mitmproxy goes on and saves the flow, with all that is in it.
            report(_NOT_ENDED, error)
            strip(flow)

    def done(self) -> None:
        """Take the tokens out of the flows that are under way when the proxy stops."""
        self._notes.closed = True
        for note in list(self._notes.by_id.values()):
            try:
                self._redact(note)
            except BaseException as error:
                report(_NOT_ENDED, error)
                strip(note.flow)

    # -- inside -------------------------------------------------------------

    def _end(self, flow: HTTPFlow) -> None:
        note = self._notes.get(flow)
        if note is None:
            return
        try:
            if note.answer_copy is not None and flow.response is not None:
                flow.response.data.content = note.answer_copy.whole()
            self._redact(note)
            if not note.is_replay:
                self._publish(note)
        finally:
            if not note.is_replay:
                self._notes.forget(note)

    def _redact(self, note: Note) -> None:
        if self._broker.settings.proxy.redact:
            clean(note)

    def _publish(self, note: Note) -> None:
        clock = self._broker.clock
        event = exchanged(note, wall=clock.wall(), now=clock.now())
        if event is not None:
            self._broker.publish(event)
