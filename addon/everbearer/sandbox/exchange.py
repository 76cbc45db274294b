"""One request on a connection: reading it, the faults in its way, its answer."""

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from inspect import isawaitable
from urllib.parse import parse_qsl, urlencode

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from everbearer.sandbox import shapes
from everbearer.sandbox.bodies import (
    Buffer,
    FormUpload,
    Part,
    Received,
    Receiver,
)
from everbearer.sandbox.dispatch import Dispatcher, Found
from everbearer.sandbox.faults import Effect, Fault, replacement
from everbearer.sandbox.journal import Entry, token_label
from everbearer.sandbox.message import Answer, Request
from everbearer.sandbox.routing import Site, Takes, host_name
from everbearer.sandbox.sending import send, send_at_once, send_unfinished
from everbearer.sandbox.tasks import Tasks
from everbearer.sandbox.world import World

TOKEN_PATH = "/oauth2/token"  # noqa: S105  a path
# How long a server that reads no more lets its answer arrive before it closes.
LINGER_S = 1.0
NO_EFFECT = Effect()


class Exchange(HTTPMessageDelegate):
    """
    Reads one request and answers it.

    The token is judged when the whole request is there, as late as possible: a test
    can hold requests, revoke their token, and let them go.
    """

    def __init__(
        self,
        world: World,
        dispatcher: Dispatcher,
        connection: HTTP1Connection,
        tasks: Tasks,
    ) -> None:
        self._world = world
        self._dispatcher = dispatcher
        self._connection = connection
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._entry: Entry | None = None
        self._fault: Fault | None = None
        self._early = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Take the head; the body waits until what is returned is done."""
        assert isinstance(start_line, RequestStartLine)
        path, _, query = start_line.path.partition("?")
        host = host_name(headers.get("Host", ""))
        self._found = self._dispatcher.find(host, start_line.method, path)
        received = Received(self._receiver(self._found, headers))
        self._request = Request(start_line.method, host, path, query, headers, received)
        if self._found.site is Site.CONTROL:
            return None
        self._entry = self._journal_entry()
        self._world.journal.begin(self._entry)
        if path == TOKEN_PATH:
            return None  # a fault for it may depend on the grant type
        self._take_fault()
        if self._fault and self._fault.effect.early_401:
            return self._answer_early(self._fault.effect)
        return None

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._request.received.feed(chunk)

    def finish(self) -> None:
        """Answer: the whole request is there."""
        if self._entry is not None:
            self._note_arrival(self._entry)
        if self._early:
            self._connection.finish()
            return
        if self._fault is None and self._request.path != TOKEN_PATH:
            result = self._dispatcher.answer(self._found, self._request)
            if isinstance(result, Answer) and result.stream is None:
                self._note_answer(result)
                send_at_once(self._connection, self._world.clock, self._trimmed(result))
                self._request.received.receiver.discard()
                return
        else:
            result = None
        self._connection.set_close_callback(self.on_connection_close)
        self._task = self._tasks.spawn(self._run(result))

    def on_connection_close(self) -> None:
        """Give up: the client has left."""
        if self._entry is not None:
            self._entry.disconnected = True
        if self._task is not None:
            self._task.cancel()
        self._request.received.receiver.discard()

    async def _run(self, result: Answer | Awaitable[Answer] | None) -> None:
        effect = self._fault.effect if self._fault else NO_EFFECT
        try:
            with self._counted_redeem():
                answer = await self._result(effect, result)
                if answer is None:
                    return
                self._note_answer(answer)
                await send(self._connection, self._world.clock, answer, effect)
        except StreamClosedError:
            if self._entry is not None:
                self._entry.disconnected = True
        finally:
            self._request.received.receiver.discard()

    async def _result(
        self, effect: Effect, result: Answer | Awaitable[Answer] | None
    ) -> Answer | None:
        """Return the answer to send, or None if there is none."""
        if effect.silent:
            await asyncio.get_running_loop().create_future()
        if effect.delay:
            await asyncio.sleep(effect.delay)
        if effect.hold and self._fault is not None:
            await self._held(self._fault)
        if effect.disconnect == "before":
            self._connection.stream.close()
            return None
        answer = await self._worked(effect, result)
        if effect.disconnect == "after":
            self._connection.stream.close()
            return None
        fields = (*answer.fields, *effect.fields.items())
        if effect.retry_after is not None:
            fields = (*fields, ("retry-after", str(effect.retry_after)))
        return self._trimmed(replace(answer, fields=fields))

    async def _worked(
        self, effect: Effect, result: Answer | Awaitable[Answer] | None
    ) -> Answer:
        token_endpoint = self._request.path == TOKEN_PATH
        if effect.replaces and not effect.processed:
            if token_endpoint:
                self._world.authorization.spend_assertion(self._request.form())
            return replacement(effect, token_endpoint=token_endpoint)
        if result is None:
            result = self._dispatcher.answer(self._found, self._request, effect)
        answer = await result if isawaitable(result) else result
        if effect.replaces:
            return replacement(effect, token_endpoint=token_endpoint)
        return answer

    async def _held(self, fault: Fault) -> None:
        await fault.released.wait()
        if self._entry is not None:
            self._entry.held = False

    async def _answer_early(self, effect: Effect) -> None:
        """Send a 401 before the body; a body that is announced only is not awaited."""
        self._early = True
        # With a length instead of chunks, the head alone is the whole answer.
        answer = replace(shapes.invalid_token(), chunked=False)
        reading = effect.early_401 == "keep" and "Expect" not in self._request.fields
        if not reading:
            answer = replace(answer, fields=(*answer.fields, ("Connection", "close")))
        self._note_answer(answer)
        await send_unfinished(self._connection, self._world.clock, answer)
        if not reading:
            await asyncio.sleep(LINGER_S)
            self._connection.stream.close()

    def _take_fault(self) -> None:
        entry, request = self._entry, self._request
        assert entry is not None
        self._fault = self._world.faults.take(
            request.method, request.host, request.path, entry.grant_type
        )
        entry.fault = self._fault.id if self._fault else None

    def _note_arrival(self, entry: Entry) -> None:
        received = self._request.received
        entry.body_length = received.length
        if received.length:
            entry.body_sha256 = received.sha256()
        if self._request.path == TOKEN_PATH:
            entry.grant_type = self._request.form().get("grant_type")
            self._world.journal.token_requests += 1
            self._take_fault()
        # Already now: who waits for its arrival may look at it at once.
        entry.held = self._fault is not None and self._fault.effect.hold
        if not self._early:
            self._world.journal.arrived(entry)

    def _note_answer(self, answer: Answer) -> None:
        if self._entry is not None:
            self._world.journal.answered(self._entry, answer.status)

    def _trimmed(self, answer: Answer) -> Answer:
        """Return *answer* without its body if the request is a HEAD."""
        if self._request.method != "HEAD":
            return answer
        return replace(answer, body=b"", stream=None)

    def _counted_redeem(self) -> AbstractContextManager[None]:
        if self._entry is None or self._entry.grant_type != "refresh_token":
            return nullcontext()
        refresh_token = self._request.form().get("refresh_token", "")
        return self._world.journal.redeeming(self._entry, refresh_token)

    def _receiver(self, found: Found, headers: HTTPHeaders) -> Receiver:
        takes = found.route.takes if found.route else Takes.BUFFER
        if takes is Takes.FORM_UPLOAD:
            return FormUpload(
                headers.get("Content-Type", ""), self._world.contents.writer()
            )
        if takes is Takes.PART:
            return Part(self._world.contents.writer())
        return Buffer()

    def _journal_entry(self) -> Entry:
        request = self._request
        bearers = request.bearers()
        query, in_query = request.query, None
        if "access_token=" in query:
            query, in_query = _without_token(query)
        bearer = bearers[0] if bearers else in_query
        return Entry(
            seq=0,
            at=self._world.clock.now(),
            method=request.method,
            host=request.host,
            path=request.path,
            query=query,
            token_label=token_label(bearer) if bearer else None,
            authorization_count=len(bearers),
            as_user=request.fields.get("As-User"),
            box_api=request.fields.get("BoxApi"),
        )


def _without_token(query: str) -> tuple[str, str | None]:
    pairs = parse_qsl(query, keep_blank_values=True)
    token = dict(pairs).get("access_token")
    masked = [
        (name, token_label(value) if name == "access_token" else value)
        for name, value in pairs
    ]
    return urlencode(masked), token
