"""
Another process that uses a store, told what to do line by line.

    PYTHONPATH=tests store_worker.py KIND FOLDER

Each line on stdin is a command with its arguments, each line on stdout the
answer; what fails is answered by "error: " and the message.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores.contract import Record, Store
from stores.places import PLACES, grant, newer


class Worker:
    """The commands, each a method that yields its answers."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.folder = Path(folder)
        self.held = AsyncExitStack()
        self.store: Store

    async def become(self, uid: str) -> AsyncIterator[object]:
        """Go on as another user."""
        # The interpreter's folder may be closed to that user: what is imported
        # late is imported now.
        with TemporaryDirectory() as folder:
            await PLACES[self.kind](Path(folder)).open().close()
        os.setuid(int(uid))
        yield "became"

    async def open(self, folder: str = "") -> AsyncIterator[object]:
        """Open the store in *folder*, or in the one of the command line."""
        self.store = PLACES[self.kind](self.folder / folder).open()
        yield "opened"

    async def save(self, name: str, token: str) -> AsyncIterator[object]:
        """Save an access token and tell the record's version."""
        record = await self.store.load(grant(name)) or Record()
        saved = replace(record, access_token=Secret(token))
        yield (await self.store.save(grant(name), saved)).version

    async def rescue(self, name: str, token: str) -> AsyncIterator[object]:
        """Write an emergency copy and tell its place."""
        yield await self.store.rescue(grant(name), Record(access_token=Secret(token)))

    async def stream(self, name: str) -> AsyncIterator[object]:
        """Save for ever, and tell each version once it is saved."""
        record = Record()
        while True:
            record = await self.store.save(grant(name), record)
            yield record.version

    async def count(self, name: str, times: str) -> AsyncIterator[object]:
        """Add to a number in the record, alone; a conflict is a broken lock."""
        for _ in range(int(times)):
            async with self.store.exclusive(grant(name)):
                record = await self.store.load(grant(name)) or Record()
                await self.store.save(
                    grant(name), replace(record, issued_at=record.issued_at + 1)
                )
        yield "counted"

    async def hold(self, name: str) -> AsyncIterator[object]:
        """Hold a grant for good."""
        await self.held.enter_async_context(self.store.exclusive(grant(name)))
        yield "held"

    async def generation(self, known: str = "-1") -> AsyncIterator[object]:
        """Tell the first generation that is not the one that is known."""
        yield await newer(self.store, int(known))


async def main() -> None:
    """Answer until there are no more commands."""
    worker = Worker(*sys.argv[1:])
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *arguments = line.split()
        try:
            async for answer in getattr(worker, command)(*arguments):
                print(answer, flush=True)  # noqa: T201 -- the answer
        except StoreError as error:
            print(f"error: {error.message}", flush=True)  # noqa: T201 -- same


if __name__ == "__main__":
    asyncio.run(main())
