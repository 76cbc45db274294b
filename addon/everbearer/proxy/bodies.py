"""
Requests that leave only once their whole body is there.

A scheme that signs the body needs its digest before the head may leave, and
mitmproxy sends the head of a streamed request first. So such a request is not
streamed: its body goes to a spool as it comes (`streaming.hold_request`), and in
`request`, when it has ended, the request is authorised. One of up to 1 MiB then
leaves as any other does. A longer one is sent from its spool as replays are: with
bounded memory, but its answer is held whole, up to `Limits.answer`. A body that
the spool cannot keep (`replay_body_limit`, `spool_limit`, a full disk) is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.errors import stopping
from everbearer.policy.verdict import Inject
from everbearer.proxy.body import digest, is_small
from everbearer.proxy.notes import Target
from everbearer.proxy.refusal import Refusal, fail_closed, refuse
from everbearer.proxy.replay import frame
from everbearer.proxy.replay_connection import AnswerTooLarge, ReplayFailed

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.proxy.authorize import Authorizer
    from everbearer.proxy.notes import Note, Notes
    from everbearer.proxy.replay import Replays
    from everbearer.proxy.spool import Spool
    from everbearer.schemes.contract import Credential


class EverbearerBodies:
    """Authorises requests whose scheme needs their body."""

    def __init__(
        self, broker: Broker, notes: Notes, authorizer: Authorizer, sender: Replays
    ) -> None:
        self._broker = broker
        self._notes = notes
        self._authorizer = authorizer
        self._sender = sender

    async def request(self, flow: HTTPFlow) -> None:
        """Authorise a request that has waited for its body."""
        note = None
        try:
            note = self._notes.get(flow)
            if note is None or not note.awaits_body or flow.response or flow.error:
                return
            # mitmproxy may have said so because of the length; nothing has left.
            flow.request.stream = False
            await self._authorize(note)
        except BaseException as error:
            fail_closed(flow, note, error, self._broker.standing)

    async def _authorize(self, note: Note) -> None:
        flow, spool, view = note.flow, note.spool, note.view
        assert spool is not None
        assert view is not None
        if Target.of(flow) != note.target:
            return  # moved meanwhile: the guard, which is next, refuses it
        assert isinstance(note.verdict, Inject)
        profile = note.verdict.profile
        if spool.broken:
            self._refuse(note, _not_kept(spool, profile))
            return
        ready = self._broker.ready(profile)
        credential = ready or await self._broker.credential(profile)
        if flow.error or not flow.live:
            return  # the client has gone meanwhile
        if self._notes.closed:
            raise stopping()
        flow.metadata["everbearer.profile"] = profile
        flow.metadata["everbearer.token"] = credential.token.fingerprint
        if is_small(spool.size):
            self._let_out(note, spool, credential)
        else:
            await self._send(note, credential)
        note.awaits_body = False

    def _let_out(self, note: Note, spool: Spool, credential: Credential) -> None:
        """Give the body back to mitmproxy, which sends it after the head."""
        flow = note.flow
        assert note.view is not None
        content = b"".join(spool.chunks())
        note.body_digest = digest([content])
        note.credential = credential
        note.changes = self._authorizer.authorize(
            flow, note.view, credential, note.body_digest
        )
        flow.request.raw_content = content
        frame(flow, len(content))
        note.target = Target.of(flow)
        note.spool = None
        spool.close()

    async def _send(self, note: Note, credential: Credential) -> None:
        """Send the request from its spool and put the answer into the flow."""
        try:
            response = await self._sender.send(note, credential)
        except AnswerTooLarge:
            self._refuse(
                note,
                Refusal(
                    502,
                    "answer_too_long",
                    "the request was sent; its answer is too long to hold, as that "
                    "of a signed request with a body above 1 MiB must be",
                    "ask for less at once, or send a smaller body",
                    credential.profile,
                ),
            )
        except ReplayFailed as error:
            self._refuse(
                note,
                Refusal(
                    502,
                    "server_lost",
                    f"the server was lost while the request was sent: {error}",
                    "send the request again, if it may be repeated",
                    credential.profile,
                ),
            )
        else:
            note.flow.response = response.copy()
            note.flow.response.stream = False

    def _refuse(self, note: Note, refusal: Refusal) -> None:
        note.refusal = refusal
        refuse(note.flow, refusal, self._broker.standing)


def _not_kept(spool: Spool, profile: str) -> Refusal:
    return Refusal(
        413,
        "body_not_kept",
        "the request is authorised by a digest of its whole body, which was not "
        f"kept: {spool.broken}",
        "raise replay_body_limit or spool_limit under [proxy], free disk space, or "
        "send a smaller body",
        profile,
    )
