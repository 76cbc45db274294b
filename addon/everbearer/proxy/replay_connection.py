"""
One request, sent once more through mitmproxy's own connections.

The replay is a flow like any other: every hook sees it, `connect_to`,
`upstream_proxy` and certificate checks hold for it. Its body is fed from what
was kept, piece by piece, each only when the last has left; its answer is
collected up to a limit. Modelled on what mitmproxy's client playback does, which
takes bodies from memory only and waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from mitmproxy import ctx
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.flow import Error
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy import events, layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.server import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.http import HTTPFlow
    from mitmproxy.proxy.commands import StartHook
    from mitmproxy.proxy.layer import CommandGenerator

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much of an answer is held and how long anything is waited for.

    `answer` bytes of an answer are held; something must move, in either
    direction, every `patience` seconds; an answer has `deadline` seconds from its
    head to its end, so that one which drips is not waited for.
    """

    answer: int = 4 * 1024 * 1024
    patience: float = 60.0
    deadline: float = 120.0


class AnswerTooLarge(Exception):  # noqa: N818 - what happened, not an error of ours
    """The answer is longer than the limit, or does not end."""


class ReplayFailed(Exception):  # noqa: N818 - same
    """The replay did not reach the server, or its answer did not come back."""


class _KeptBody(layers.http.HttpConnection):
    """Stands where the client's connection would, and speaks for it."""

    def __init__(self, flow: HTTPFlow, context: Context, *, bodiless: bool) -> None:
        super().__init__(context, context.client)
        self._flow = flow
        self._bodiless = bodiless

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        receive = layers.http.ReceiveHttp
        if isinstance(event, events.Start):
            yield receive(
                layers.http.RequestHeaders(
                    1,
                    self._flow.request,
                    end_stream=self._bodiless,
                    replay_flow=self._flow,
                )
            )
            if self._bodiless:
                yield receive(layers.http.RequestEndOfMessage(1))
        elif isinstance(event, events.DataReceived):
            yield receive(layers.http.RequestData(1, event.data))
        elif isinstance(event, events.ConnectionClosed):
            yield receive(layers.http.RequestEndOfMessage(1))
        # Everything else is the answer on its way to the client; `collect` has it.


class ReplayConnection(ConnectionHandler):
    """Sends *flow* with a body from *pieces* (empty: none) and collects the answer."""

    def __init__(
        self, flow: HTTPFlow, pieces: Iterator[bytes], *, verified: str, limits: Limits
    ) -> None:
        client = flow.client_conn.copy()
        client.state = ConnectionState.OPEN
        # Whatever the client spoke, the replay speaks HTTP/1.1: its body then has
        # a length and an end that both sides agree on.
        client.alpn = None
        client.alpn_offers = ()
        context = Context(client, ctx.options)
        context.server = Server(address=(flow.request.host, flow.request.port))
        context.server.tls = True
        context.server.sni = verified
        super().__init__(context)
        self._flow = flow
        self._limits = limits
        self._pieces = pieces
        self._first = next(pieces, b"")
        self._passed = asyncio.Event()
        self._ended = asyncio.Event()
        self._collected = bytearray()
        self._too_large = False
        self._crashed = False
        self._over = False  # nobody waits any more; connections are being closed
        self._told = False  # every addon has seen the end of the flow
        self._timeout = asyncio.timeout(None)
        self._deadline = float("inf")
        self.layer = layers.HttpLayer(context, HTTPMode.transparent)
        self.layer.connections[client] = _KeptBody(
            flow, context.fork(), bodiless=not self._first
        )

    async def send(self) -> None:
        """
        Send the request; afterwards the flow has its whole answer.

        Raises AnswerTooLarge or ReplayFailed.
        """
        try:
            async with self._timeout:
                self._moved()
                await self.server_event(events.Start())
                if self._first:
                    await self._feed()
                await self._ended.wait()
        except TimeoutError:
            if not self._flow.response:
                msg = f"no answer within {self._limits.patience:.0f} s"
                raise ReplayFailed(msg) from None
            self._too_large = True
        finally:
            self._over = True
            await self._close()
        if self._crashed:
            raise ReplayFailed("what came back could not be read")
        if self._too_large:
            raise AnswerTooLarge
        if self._flow.error is not None or self._flow.response is None:
            raise ReplayFailed(
                self._flow.error.msg if self._flow.error else "no answer"
            )

    async def _feed(self) -> None:
        piece = self._first
        while piece:
            if not self._goes_on():
                return  # and the connection is cut: nothing may end half a body
            self._passed.clear()
            await self.server_event(events.DataReceived(self.client, piece))
            await self._either(self._passed, self._ended)
            await self.drain_writers()  # type: ignore[no-untyped-call]
            piece = next(self._pieces, b"")
        await self.server_event(events.ConnectionClosed(self.client))

    def _goes_on(self) -> bool:
        """Tell whether the server is to get the rest of the body."""
        if self._too_large or self._flow.error is not None:
            return False
        if not self._ended.is_set():
            return True
        # Answered before all of it was there. RFC 9112 §9.5: one stops where the
        # server does not want the rest; a server that accepts it gets all of it.
        response = self._flow.response
        return response is not None and response.status_code < HTTPStatus.BAD_REQUEST

    async def _either(self, *conditions: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(c.wait()) for c in conditions]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiting:
                waiter.cancel()

    def _pass(self, piece: bytes) -> bytes:
        self._moved()
        self._passed.set()
        return piece

    def _collect(self, piece: bytes) -> bytes:
        self._moved()
        self._collected += piece
        if len(self._collected) > self._limits.answer:
            self._give_up()
        return b""

    def _give_up(self) -> None:
        self._too_large = True
        self._collected.clear()
        self._ended.set()

    def _moved(self) -> None:
        if not self._over and not self._timeout.expired():
            now = asyncio.get_running_loop().time()
            self._timeout.reschedule(min(now + self._limits.patience, self._deadline))

    async def handle_hook(self, hook: StartHook) -> None:
        """Let every addon see the replay; end it with its answer or error."""
        if isinstance(hook, layers.http.HttpResponseHook) and self._flow.response:
            self._flow.response.data.content = bytes(self._collected)
        await ctx.master.addons.handle_lifecycle(hook)
        if isinstance(hook, layers.http.HttpRequestHeadersHook):
            if self._first and self._flow.response is None:
                # mitmproxy sets `stream` itself for long bodies of known length.
                self._flow.request.stream = self._pass
        elif isinstance(hook, layers.http.HttpResponseHeadersHook):
            self._answer_began()
        elif isinstance(hook, layers.http.HttpResponseHook | layers.http.HttpErrorHook):
            self._told = True
            self._ended.set()

    def _answer_began(self) -> None:
        response = self._flow.response
        assert response is not None
        now = asyncio.get_running_loop().time()
        self._deadline = now + self._limits.deadline
        self._moved()
        response.stream = self._collect
        try:
            size = expected_http_body_size(self._flow.request, response)
        except ValueError:
            size = None
        if size is not None and size > self._limits.answer:
            self._give_up()

    async def _close(self) -> None:
        handlers = [io.handler for io in self.transports.values() if io.handler]
        for handler in handlers:
            handler.cancel("replay ended")
        if handlers:
            await asyncio.wait(handlers)
        for timer in self.wakeup_timer:
            timer.cancel()
        if not self._told:
            # Given up in the middle: whoever watches flows learns of its end, and
            # its token is taken out before it is saved.
            self._flow.live = False
            self._flow.error = Error("the replay was given up")
            await self.handle_hook(layers.http.HttpErrorHook(self._flow))

    def log(
        self,
        message: str,
        level: int = logging.INFO,
        exc_info: object = None,
    ) -> None:
        """
        Keep mitmproxy's chatter about connections out of the way.

        It logs as an error that a layer has failed (HTTP/1 trailers do that), and
        then nothing moves any more.
        """
        if level >= logging.ERROR:
            self._crashed = True
            self._ended.set()
        logger.log(
            level if level >= logging.WARNING else logging.DEBUG,
            "[replay] %s",
            message,
            exc_info=exc_info,  # type: ignore[arg-type]
        )
