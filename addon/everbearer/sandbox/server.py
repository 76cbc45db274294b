"""The sandbox as a server: its listeners, its start and its end."""

import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPServerConnectionDelegate

from everbearer.sandbox.clock import Clock
from everbearer.sandbox.content import CHUNK
from everbearer.sandbox.control import control_routes
from everbearer.sandbox.dispatch import Dispatcher
from everbearer.sandbox.exchange import Exchange
from everbearer.sandbox.folder import StateFolder
from everbearer.sandbox.profiles import write_profiles
from everbearer.sandbox.routes import BOX_CALLS
from everbearer.sandbox.routing import Router, Site
from everbearer.sandbox.tasks import Tasks
from everbearer.sandbox.tls import LOOPBACK, server_context
from everbearer.sandbox.world import SandboxOptions, World

__all__ = ["Sandbox", "SandboxOptions"]

# A body is never held, so its length is no danger.
LARGEST_BODY = 1 << 50
# Tests open thousands of connections at once.
BACKLOG = 4096


class Sandbox:
    """
    A local Box: TLS on one loopback port for all of its hosts.

    Runs inside an asyncio loop. Raises SandboxError when another one uses the state
    folder, OSError when the port is taken.
    """

    def __init__(
        self, options: SandboxOptions, clock: Callable[[], float] = time.time
    ) -> None:
        self._options = options
        self._clock = Clock(clock)
        self._tasks = Tasks()
        self._servers: list[HTTPServer] = []
        self._folder: StateFolder | None = None
        self.port = 0
        self.control_url = ""

    async def start(self) -> None:
        """Listen, and write certificates, credentials and configurations."""
        self._folder = StateFolder(self._options.state)
        try:
            self._listen(self._folder)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        for server in self._servers:
            server.stop()
        await self._tasks.cancel()
        for server in self._servers:
            await server.close_all_connections()
        self._servers.clear()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _listen(self, folder: StateFolder) -> None:
        world = World(self._options, folder, self._clock)
        key = secrets.token_urlsafe(16)
        router = Router([*BOX_CALLS, *control_routes(BOX_CALLS, key)])
        # The certificates live in the machine's time, not in the shifted one.
        context = server_context(folder, datetime.now(UTC))
        box_sites = frozenset(Site) - {Site.CONTROL}
        box = _Front(Dispatcher(world, router, box_sites), world, self._tasks)
        control = _Front(
            Dispatcher(world, router, frozenset({Site.CONTROL})), world, self._tasks
        )
        self.port = self._add(
            HTTPServer(box, ssl_options=context, **_LIMITS), self._options.port
        )
        control_port = self._add(HTTPServer(control, **_LIMITS), 0)
        self.control_url = f"http://{LOOPBACK}:{control_port}/{key}"
        write_profiles(world, self.port, self.control_url)

    def _add(self, server: HTTPServer, port: int) -> int:
        listener = socket.create_server((LOOPBACK, port), backlog=BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  the standard library's signature
        server.add_socket(listener)
        self._servers.append(server)
        bound: int = listener.getsockname()[1]
        return bound


_LIMITS = {"max_body_size": LARGEST_BODY, "chunk_size": CHUNK}


class _Front(HTTPServerConnectionDelegate):
    """Begins an exchange for each request of a listener."""

    def __init__(self, dispatcher: Dispatcher, world: World, tasks: Tasks) -> None:
        self._dispatcher = dispatcher
        self._world = world
        self._tasks = tasks

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002  the signature is tornado's
        request_conn: HTTPConnection,
    ) -> Exchange:
        assert isinstance(request_conn, HTTP1Connection)
        return Exchange(self._world, self._dispatcher, request_conn, self._tasks)
