"""
A server in the place of the dashboard's: it tells the page what a test gives it.

Run by itself it shows the page with a busy state: `python stand_in.py PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from everbearer.dashboard.answers import FIELDS

PAGE = Path(__file__).parents[2] / "addon" / "everbearer" / "dashboard" / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class StandIn:
    """Serves the page from a thread of its own; what is said to it is remembered."""

    def __init__(self, document: dict[str, Any], port: int = 0) -> None:
        self.document = document
        self.stories: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        """By action: what a POST is answered."""
        self.asked: list[tuple[str, str, str]] = []
        """Action, profile, and the field that other sites cannot send."""
        self.in_session = True
        self.feeds: set[Feed] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._start(port))

    async def _start(self, port: int) -> None:
        self._sockets = bind_sockets(port, "127.0.0.1")
        self.port = self._sockets[0].getsockname()[1]
        self._server: HTTPServer | None = None
        self._listen()

    def _listen(self) -> None:
        given = {"stand_in": self}
        application = tornado.web.Application(
            [
                ("/api/state", State, given),
                ("/api/events", Feed, given),
                ("/api/requests/(.+)", Story, given),
                ("/api/profiles/(.+)/(renew|revoke|login)", Action, given),
                ("/(.*)", Static, given),
            ],
            log_function=lambda _: None,
        )
        self._server = HTTPServer(application)
        self._server.add_sockets(self._sockets)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def push(self, event: str, value: Any) -> None:
        """Send *value* to every page that listens."""
        self._call(self._push(event, value))

    async def _push(self, event: str, value: Any) -> None:
        for feed in tuple(self.feeds):
            await feed.tell(event, value)

    def cut(self) -> None:
        """End what listens, as a server that ends does."""
        self._call(self._cut())

    async def _cut(self) -> None:
        for feed in tuple(self.feeds):
            feed.over.set()

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._cut()
        assert self._server is not None
        self._server.stop()
        await self._server.close_all_connections()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


class Handler(tornado.web.RequestHandler):
    """What all have: the fields of the dashboard, and the session."""

    def initialize(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    def set_default_headers(self) -> None:
        for name, value in FIELDS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if not self.stand_in.in_session:
            self.set_status(403)
            self.finish("run: everbearer dashboard")


class State(Handler):
    """The document."""

    def get(self) -> None:
        self.write(self.stand_in.document)


class Feed(Handler):
    """The document, and then the events."""

    async def get(self) -> None:
        self.over = asyncio.Event()
        self.set_header("Content-Type", "text/event-stream")
        await self.tell("state", self.stand_in.document)
        self.stand_in.feeds.add(self)
        await self.over.wait()
        self.stand_in.feeds.discard(self)

    async def tell(self, event: str, value: Any) -> None:
        self.write(f"event: {event}\ndata: {json.dumps(value)}\n\n")
        await self.flush()

    def on_connection_close(self) -> None:
        self.over.set()


class Story(Handler):
    """The explanation of a request."""

    def get(self, name: str) -> None:
        if name in self.stand_in.stories:
            self.write(self.stand_in.stories[name])
        else:
            self.set_status(404)


class Action(Handler):
    """What a person has done."""

    def check_xsrf_cookie(self) -> None:
        """Nothing: the field tells."""

    def post(self, profile: str, action: str) -> None:
        field = self.request.headers.get("Everbearer-Dashboard", "")
        self.stand_in.asked.append((action, profile, field))
        self.write(self.stand_in.answers[action])


class Static(Handler):
    """The files of the page, as they lie there."""

    def get(self, name: str) -> None:
        path = PAGE / (name or "index.html")
        if path.parent != PAGE or not path.is_file():
            self.set_status(404)
            return
        self.set_header("Content-Type", KINDS[path.suffix])
        self.write(path.read_bytes())


if __name__ == "__main__":
    import canned
    from hours import busy

    shown = StandIn(busy(time.time()), int(sys.argv[1]))
    for each in shown.document["requests"]:
        shown.stories[each["id"]] = canned.healed(each)
    threading.Event().wait()
