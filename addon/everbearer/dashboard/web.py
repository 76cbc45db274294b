"""
The dashboard's HTTP: what is asked, by whom, and what is answered.

Every request passes the guard first, then the session where it needs one; only
then it is looked at. Loaded when somebody connects for the first time: a proxy
whose dashboard nobody opens does not pay for it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, override

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler

from everbearer.dashboard.answers import (
    ENTERED,
    FIELDS,
    NO_SESSION,
    USED,
    Answer,
    as_json,
    page,
)
from everbearer.dashboard.guard import MARK, OPEN, Asked, judge
from everbearer.dashboard.rows import told
from everbearer.dashboard.session import NONCE_BYTES
from everbearer.dashboard.visitors import CONNECTIONS, Bounded, Visitors
from everbearer.report import report

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    from everbearer.dashboard.actions import Actions
    from everbearer.dashboard.feed import Feed
    from everbearer.dashboard.session import Sessions
    from everbearer.dashboard.state import State

type Plain = Mapping[str, Callable[[], Awaitable[Answer]]]
"""Pages that need no session: they hold nothing about requests, and no secret."""

_BODY: Final = 64 * 1024
"""Bytes of a request; none needs any."""

_HEAD: Final = 16 * 1024
_PING: Final = 15.0
_SLOWEST: Final = 15.0
"""Seconds that a reader of events may take to take what was written."""

_ACTION: Final = re.compile(r"/api/profiles/([^/]+)/(renew|revoke|login)")
_REQUEST: Final = re.compile(r"/api/requests/([A-Za-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True)
class Served:
    """
    What there is to be served, and to whom.

    `own` are the listener's authorities; `stranger` tells of a connection, by its
    socket, that another user of this machine has opened it.
    """

    own: frozenset[str]
    cookie: str
    sessions: Sessions
    state: State
    feed: Feed
    actions: Actions
    files: Mapping[str, Answer]
    plain: Plain
    stranger: Callable[[socket.socket], Awaitable[bool]]


def make_server(served: Served) -> Bounded:
    """Return the server, which listens nowhere yet."""
    # It warns of what is malformed, which any page and any user can send.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    visitors = Visitors[IOStream](CONNECTIONS)
    known = {"served": served, "visitors": visitors}
    application = Application(
        [(r"/api/events", _Events, known), (r".*", _Handler, known)],
        log_function=_no_log,
    )
    return Bounded(
        application,
        visitors=visitors,
        max_header_size=_HEAD,
        max_body_size=_BODY,
        max_buffer_size=_HEAD + _BODY,
    )


class _Guarded(RequestHandler):
    """A request that has passed the guard, or none at all."""

    @override
    def initialize(self, served: Served, visitors: Visitors[IOStream]) -> None:
        self._served, self._visitors = served, visitors

    @override
    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in FIELDS.items():
            self.set_header(name, value)

    @override
    def compute_etag(self) -> None:
        """Have none: nothing is kept anywhere."""

    @override
    async def prepare(self) -> None:
        request, fields = self.request, self.request.headers
        asked = Asked(
            method=request.method or "",
            target=request.uri or "",
            hosts=tuple(fields.get_list("Host")),
            origins=tuple(fields.get_list("Origin")),
            sites=tuple(fields.get_list("Sec-Fetch-Site")),
            modes=tuple(fields.get_list("Sec-Fetch-Mode")),
            content_types=tuple(fields.get_list("Content-Type")),
            marks=tuple(fields.get_list(MARK)),
        )
        refused = judge(asked, self._served.own)
        if refused is not None:
            self._refuse(refused.status, refused.words)
            return
        connection: Any = request.connection
        stream: IOStream = connection.stream
        if request.path in self._served.plain:
            self._visitors.ask(stream)
            return
        opens = request.path == OPEN
        # Before anybody looks whose it is: that takes long, and who has nothing to
        # show could have it done without end.
        if not (self._has_ticket() if opens else self._is_let_in()):
            self._answer(USED if opens else NO_SESSION)
            return
        self._visitors.let_in(stream)
        if stream.closed() or await self._served.stranger(stream.socket):
            self._visitors.ask(stream)
            self._refuse(403, "another user of this machine asked")

    @override
    def write_error(self, status_code: int, **_: Any) -> None:
        words = HTTPStatus(status_code).phrase.lower()
        self._refuse(status_code, words)

    @override
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # What was asked may hold anything: it is not logged.
        # A bad request is no failure of ours, and no reason to fill the log.
        expected = (StreamClosedError, HTTPError)
        if isinstance(value, Exception) and not isinstance(value, expected):
            report("the dashboard failed", value)

    def _is_let_in(self) -> bool:
        now = self._served.state.now
        cookie = self.get_cookie(self._served.cookie) or ""
        return self._served.sessions.knows(cookie, now)

    def _has_ticket(self) -> bool:
        served = self._served
        return served.sessions.takes(self._ticket(), served.state.now)

    def _ticket(self) -> str:
        tickets = self.get_query_arguments("ticket")
        is_one = len(tickets) == 1 and self.request.method == "GET"
        return tickets[0] if is_one else ""

    def _refuse(self, status: int, words: str) -> None:
        if self.request.path.startswith("/api/"):
            self._answer(as_json({"error": words}, status))
        else:
            self._answer(page("This is not answered", f"Refused: {words}.", status))

    def _answer(self, answer: Answer) -> None:
        self.set_status(answer.status)
        self.set_header("Content-Type", answer.kind)
        self.finish(answer.body)


class _Handler(_Guarded):
    """Everything that is answered at once."""

    @override
    async def get(self) -> None:
        path, served = self.request.path, self._served
        if path == OPEN:
            self._open()
        elif path in served.plain:
            self._answer(await served.plain[path]())
        elif path in served.files:
            self._answer(served.files[path])
        elif path == "/api/state":
            await served.state.refresh()
            self._answer(as_json(served.state.document()))
        elif found := _REQUEST.fullmatch(path):
            story = served.state.known.story(found[1])
            if story is None:
                self._refuse(404, "this request is not remembered any more")
            else:
                self._answer(as_json(told(story)))
        else:
            self._refuse(404, "there is nothing here")

    @override
    async def head(self) -> None:
        await self.get()

    @override
    async def post(self) -> None:
        found = _ACTION.fullmatch(self.request.path)
        done = found and await self._served.actions.do(found[1], found[2])
        if done is None:
            self._refuse(404, "there is no such profile, or nothing to be done")
        else:
            self._answer(as_json(done))

    def _open(self) -> None:
        served, nonce = self._served, secrets.token_bytes(NONCE_BYTES)
        cookie = served.sessions.enter(self._ticket(), served.state.now, nonce)
        if cookie is None:
            self._answer(USED)
            return
        self.set_cookie(
            served.cookie, cookie.reveal(), path="/", httponly=True, samesite="Strict"
        )
        if self.request.headers.get("Sec-Fetch-Site", "none") == "none":
            self.redirect("/", status=303)
        else:
            self._answer(ENTERED)


class _Events(_Guarded):
    """The stream of what changes (server-sent events)."""

    @override
    async def get(self) -> None:
        feed = self._served.feed
        self._reader = reader = await feed.join()
        if reader is None:
            self._refuse(503, "too many pages are open")
            return
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        try:
            # Whoever was let in has to be so still: sessions end.
            while self._is_let_in() and (text := await reader.next(_PING)) is not None:
                self.write(text)
                async with asyncio.timeout(_SLOWEST):
                    await self.flush()
        except (StreamClosedError, TimeoutError):
            self._cut()
        finally:
            feed.leave(reader)

    @override
    def on_connection_close(self) -> None:
        if reader := getattr(self, "_reader", None):
            reader.end()

    def _cut(self) -> None:
        """Close the connection: what was written and not read goes with it."""
        connection: Any = self.request.connection
        connection.close()


def _no_log(_: RequestHandler) -> None:
    """Log nothing: addresses hold tickets."""
