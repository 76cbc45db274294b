"""
The listener on loopback that the browser comes back to (RFC 8252 §7.3).

It takes one answer, the one with the login's state, and whatever else arrives in
the meantime (an icon, another tab, another program's guess) changes nothing.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, override
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from everbearer.errors import ConfigError, Problem
from everbearer.login.page import FIELDS, NOT_HERE, USED, WAITING, Page
from everbearer.oauth.authorization import Stray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from everbearer.oauth.authorization import Code, Denied, Login

DEFAULT_REDIRECT: Final = "http://127.0.0.1:0/callback"
"""Where the browser comes back to; 0 stands for a free port."""

_ADDRESSES: Final = {
    "127.0.0.1": ("127.0.0.1",),
    "::1": ("::1",),
    # A browser may take either; where only one is there it takes that.
    "localhost": ("127.0.0.1", "::1"),
}
_HTTP_PORT: Final = 80
_DONE: Final = "/done"
_SHOWN_PATIENCE: Final = 5.0
"""Seconds for which the last page is there to be fetched."""


class Listener:
    """
    Waits for the answer to one login, in one event loop.

    `redirect_uri` (http, to this machine) names the port, 0 a free one. Raises
    ConfigError where it is taken.
    """

    def __init__(self, redirect_uri: str = DEFAULT_REDIRECT) -> None:
        parts = urlsplit(redirect_uri)
        host = parts.hostname or ""
        port = _HTTP_PORT if parts.port is None else parts.port
        self._sockets = _listening(host, port)
        bound: int = self._sockets[0].getsockname()[1]
        self._authority = f"[{host}]" if ":" in host else host
        if parts.port is not None:
            self._authority += f":{bound}"
        self._path = parts.path or "/"
        query = f"?{parts.query}" if parts.query else ""
        self.redirect_uri = f"http://{self._authority}{parts.path}{query}"
        self._server: HTTPServer | None = None
        self._answer: asyncio.Future[Code | Denied] = asyncio.Future()
        self._outcome: asyncio.Future[Page] = asyncio.Future()
        self._shown = asyncio.Event()

    def start(self, login: Login, stray: Callable[[str], None]) -> None:
        """
        Answer browsers from now on.

        *stray* is told why something that came was not the answer to *login*.
        """
        self._login, self._stray = login, stray
        application = Application(
            [(r".*", _Handler, {"listener": self})], log_function=_no_log
        )
        self._server = HTTPServer(application, max_header_size=32 * 1024)
        self._server.add_sockets(self._sockets)

    async def answer(self) -> Code | Denied:
        """Return what the browser brought, once it has."""
        return await asyncio.shield(self._answer)

    def conclude(self, page: Page) -> None:
        """Say in the browser what came of it."""
        if not self._outcome.done():
            self._outcome.set_result(page)

    async def stop(self) -> None:
        """Stop listening; a browser that waits for the last page has it first."""
        if self._answer.done() and self._outcome.done():
            with suppress(TimeoutError):  # the tab was closed
                async with asyncio.timeout(_SHOWN_PATIENCE):
                    await self._shown.wait()
        if self._server is None:
            for each in self._sockets:
                each.close()
        else:
            self._server.stop()
            await self._server.close_all_connections()

    async def respond(self, host: str, path: str, query: str) -> Page | str:
        """Return the page for a request, or the address to send the browser to."""
        # Another name for this address is another site's page (DNS rebinding).
        if host.lower() != self._authority.lower():
            return NOT_HERE
        if path == _DONE and self._outcome.done():
            return self._outcome.result()
        if path == self._path and query:
            return await self._returned(query)
        return NOT_HERE

    def showed(self, page: Page) -> None:
        """Note that *page* has reached the browser."""
        if self._outcome.done() and page is self._outcome.result():
            self._shown.set()

    async def _returned(self, query: str) -> Page | str:
        found = self._login.returned(f"?{query}")
        if isinstance(found, Stray):
            self._stray(found.why)
            return WAITING
        if self._answer.done():
            return USED
        self._answer.set_result(found)
        await asyncio.shield(self._outcome)
        # The code shall not stay in the address bar and the history.
        return _DONE


class _Handler(RequestHandler):
    """One request of a browser, or of whoever else can reach loopback."""

    @override
    def initialize(self, listener: Listener) -> None:
        self._listener = listener

    @override
    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in FIELDS.items():
            self.set_header(name, value)

    @override
    async def get(self) -> None:
        request = self.request
        found = await self._listener.respond(request.host, request.path, request.query)
        if isinstance(found, str):
            self.redirect(found, status=HTTPStatus.SEE_OTHER)
            return
        self.set_status(found.status)
        await self.finish(found.html())
        self._listener.showed(found)

    @override
    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish(Page("This is not understood", "", status=status_code).html())


def _no_log(_: RequestHandler) -> None:
    """Log nothing: addresses hold codes."""


def _listening(host: str, port: int) -> Sequence[socket.socket]:
    """Listen on *port* of every address that *host* stands for."""
    first, *others = _ADDRESSES[host]
    for _ in range(20 if port == 0 else 1):
        sockets = [_bound(first, port, host)]
        try:
            for each in others:
                sockets.append(_bound(each, sockets[0].getsockname()[1], host))
        except ConfigError:
            # The other half of this port is somebody else's: the browser might
            # bring the code there.
            for half in sockets:
                half.close()
            if port:
                raise
        except OSError:
            return sockets  # a machine without IPv6
        else:
            return sockets
    raise _taken(host, port)


def _bound(address: str, port: int, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - the name says it
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen()
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise _taken(host, port) from None
        if error.errno == errno.EACCES:
            raise ConfigError(
                Problem(
                    "redirect_uri",
                    f"port {port} is the system's: only root listens there",
                    "register a redirect URI with a port above 1023, and write it",
                )
            ) from None
        raise
    return made


def _taken(host: str, port: int) -> ConfigError:
    return ConfigError(
        Problem(
            "redirect_uri",
            f"another program listens on {host}:{port}",
            "end it, or run with --no-browser and paste the address where the"
            " browser ended",
        )
    )
