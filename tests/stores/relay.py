"""A TCP relay that can fall silent, as a network does that is cut somewhere."""

import asyncio
import contextlib
from typing import Self


class Relay:
    """
    Forwards from a port of its own, `port`, to another.

    Connections that were there when it was cut never hear anything again, not
    even that they have ended; those made after `mend` are forwarded.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def cut(self) -> None:
        """Forward nothing from now on."""
        self._cut.set()

    def mend(self) -> None:
        """Forward what connects from now on."""
        self._cut = asyncio.Event()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        cut = self._cut
        self._writers.append(writer)
        there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.append(onward)
        for source, sink in ((reader, onward), (there, writer)):
            pump = asyncio.ensure_future(self._pump(source, sink, cut))
            self._tasks.append(pump)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        cut: asyncio.Event,
    ) -> None:
        while True:
            data = await source.read(65536)
            if cut.is_set():
                await asyncio.Event().wait()
            if not data:
                sink.close()
                return
            sink.write(data)
            with contextlib.suppress(OSError):
                await sink.drain()
