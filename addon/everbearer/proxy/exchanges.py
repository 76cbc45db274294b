"""
Clients' own token requests: the one thing about them that concerns us.

A client that redeems our refresh token is held to the order of our own renewals
(renewal/client_redeem). To know it, its form is read before anything of it is
sent: small forms of known length to a token endpoint are left to mitmproxy,
which keeps them, and taken out of the flow wherever another addon could see or
save them. What is sent to the server and to the client stays as it was.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mitmproxy.net.http.http1 import expected_http_body_size

from everbearer.errors import stopping
from everbearer.oauth.client_form import FORM_LIMIT, is_form, redeem_in
from everbearer.oauth.content_coding import INFLATED, inflate
from everbearer.oauth.token_response import TokenAnswer
from everbearer.policy.exchange import asks
from everbearer.policy.verdict import Pass
from everbearer.proxy import internals
from everbearer.proxy.notes import Target
from everbearer.proxy.refusal import from_error, kill, refuse
from everbearer.renewal.endpoint import ANSWER_LIMIT
from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mitmproxy.http import HTTPFlow, Response

    from everbearer.broker import Broker
    from everbearer.policy.view import RequestView
    from everbearer.proxy.notes import Note, Notes
    from everbearer.renewal.client_redeem import ClientRedeem

_CODED_LIMIT: Final = 4096
"""Bytes of an answer in a coding whose decoder knows no limit of its own."""


@dataclass(slots=True)
class _Exchange:
    """A token request that is looked at, and the redeem that it turned out to be."""

    flow: HTTPFlow
    view: RequestView
    target: Target
    redeem: ClientRedeem | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a server is asked: what comes from then on is its answer."""


class EverbearerExchanges:
    """Behind the tokens, which decide; before whatever saves flows."""

    def __init__(self, broker: Broker, notes: Notes) -> None:
        self._broker = broker
        self._notes = notes
        self._exchanges: dict[str, _Exchange] = {}

    # -- the way out --------------------------------------------------------

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Have a form read before it is sent, where it may redeem what is ours."""
        note = None
        try:
            note = self._notes.get(flow)
            if note is None or note.is_replay or note.target is None:
                return
            if note.view is not None and self._is_looked_at(note, note.view):
                flow.request.stream = False
                exchange = _Exchange(flow, note.view, note.target)
                self._exchanges[flow.id] = exchange
        except BaseException as error:
            self._fail_closed(flow, note, error)

    def request(self, flow: HTTPFlow) -> Awaitable[None] | None:
        """Let a redeem of ours leave only under the grant's lock."""
        return self.hold(flow) if flow.id in self._exchanges else None

    async def hold(self, flow: HTTPFlow) -> None:
        """Do what `request` does, for a token request that is looked at."""
        exchange = self._exchanges.get(flow.id)
        if exchange is None or flow.response is not None or flow.error is not None:
            return
        note = None
        try:
            note = self._notes.get(flow)
            if note is None:
                return  # the last guard does not let it out
            note.target = None  # nor this one, until it is set again
            body = internals.take_body(flow, flow.request, exchange.left.set)
            exchange.redeem = await self._begin(exchange, body or b"")
            note.target = exchange.target
        except BaseException as error:
            self._fail_closed(flow, note, error)

    def _is_looked_at(self, note: Note, view: RequestView) -> bool:
        return (
            isinstance(note.verdict, Pass)
            and note.verdict.private
            and view.method == "POST"
            and view.body_length is not None
            and 0 < view.body_length <= FORM_LIMIT
            and is_form(note.flow.request.headers.get("content-type", ""))
            and self._broker.client_redeems.may_concern(lambda url: asks(view, url))
        )

    async def _begin(self, exchange: _Exchange, body: bytes) -> ClientRedeem | None:
        form = redeem_in(body)
        if form is None:
            return None
        redeem = await self._broker.client_redeems.begin(
            lambda url: asks(exchange.view, url), form, lambda: _cut(exchange.flow)
        )
        if self._notes.closed:
            # What is saved at the end was cleaned before.
            if redeem is not None:
                redeem.lost("it did not leave: everbearer was stopping")
            raise stopping()
        return redeem

    def _fail_closed(
        self, flow: HTTPFlow, note: Note | None, error: BaseException
    ) -> None:
        try:
            refusal = from_error(error, "")
            if refusal.code == "internal_error":
                report("a token request of a client was refused", error)
            if note is not None:
                note.target = None
                note.refusal = refusal
            refuse(flow, refusal, self._broker.standing)
        except BaseException as another:
            report("a refusal failed: the connection is closed", another)
            kill(flow)

    # -- the way back -------------------------------------------------------

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Hold the answer to a redeem of ours, until its pair is saved."""
        exchange = self._exchanges.get(flow.id)
        if exchange is None or flow.response is None:
            return
        try:
            flow.request.data.content = None
            if exchange.redeem is None:
                return
            if not exchange.left.is_set():
                # A script answered it, and mitmproxy emulates this hook.
                exchange.redeem.lost("it did not leave: something else answered it")
            elif Target.of(flow) != exchange.target:
                exchange.redeem.lost("it was moved to another server")
            elif _is_short(flow):
                flow.response.stream = False
            else:
                exchange.redeem.lost(_TOO_LONG)
        except BaseException as error:
            report("an answer to a client's redeem could not be held", error)

    def response(self, flow: HTTPFlow) -> Awaitable[None] | None:
        """Save the pair that came, then let the client have it."""
        return self.settle(flow) if flow.id in self._exchanges else None

    async def settle(self, flow: HTTPFlow) -> None:
        """Do what `response` does, for a token request that is looked at."""
        exchange = self._exchanges.get(flow.id)
        if exchange is None or flow.response is None:
            return
        try:
            body = internals.take_body(flow, flow.response)
            internals.when_answered(flow, lambda: self._forget(exchange))
            flow.request.data.content = None
            internals.forget_backups(flow)
        except BaseException as error:
            # Nobody may see them, and mitmproxy goes on: they are dropped first.
            body = flow.request.data.content = flow.response.data.content = None
            report("the bodies of a client's token request were dropped", error)
            internals.drop_backup(flow)
            kill(flow)
        redeem = exchange.redeem
        if redeem is None:
            return
        try:
            await _tell(redeem, flow.response, body)
        except BaseException as error:
            report("what a client redeemed could not be saved", error)
            redeem.lost("it could not be read")

    def error(self, flow: HTTPFlow) -> None:
        """Let go of the lock: no answer will come."""
        exchange = self._exchanges.get(flow.id)
        if exchange is not None:
            self._forget(exchange)
            if exchange.redeem is not None:
                exchange.redeem.lost("its answer never arrived")

    def done(self) -> None:
        """Take the bodies out of the flows under way: they are saved right after."""
        for exchange in self._exchanges.values():
            _empty(exchange.flow)

    def _forget(self, exchange: _Exchange) -> None:
        self._exchanges.pop(exchange.flow.id, None)
        _empty(exchange.flow)


_TOO_LONG: Final = f"its answer is longer than {ANSWER_LIMIT // 1024} KiB"


async def _tell(redeem: ClientRedeem, response: Response, body: bytes | None) -> None:
    if body is None or len(body) > ANSWER_LIMIT:
        redeem.lost(_TOO_LONG)
        return
    fields = {name.lower(): value for name, value in response.headers.items()}
    try:
        plain = _decoded(response, fields.get("content-encoding", ""), body)
    except ValueError:
        redeem.lost("the coding of its answer could not be undone")
        return
    await redeem.answered(TokenAnswer(response.status_code, fields, plain))


def _decoded(response: Response, coding: str, body: bytes) -> bytes:
    """Return the body without its coding, bounded; ValueError where it cannot."""
    coding = coding.strip().lower()
    if coding in {"", "identity"} or not body:
        return body
    if coding in INFLATED:
        return inflate(body, ANSWER_LIMIT)
    if len(body) > _CODED_LIMIT:
        raise ValueError(coding)
    whole = response.copy()
    whole.data.content = body
    return whole.get_content(strict=True) or b""


def _is_short(flow: HTTPFlow) -> bool:
    """Tell whether the answer may be held; of unknown length it may."""
    size = expected_http_body_size(flow.request, flow.response)
    return size is None or size <= ANSWER_LIMIT


def _empty(flow: HTTPFlow) -> None:
    """Take the bodies out of a flow for good."""
    flow.request.data.content = None
    if flow.response is not None:
        flow.response.data.content = None
    internals.forget_backups(flow)


def _cut(flow: HTTPFlow) -> None:
    response = flow.response
    if response is None or not response.stream:
        internals.cut(flow)
