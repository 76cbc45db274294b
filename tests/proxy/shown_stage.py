"""Hooks of a proxy whose flows somebody looks at, and what he sees."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy import hooks
from mitmproxy.http import HTTPFlow, Response
from mitmproxy.proxy import layers
from mitmproxy.test import taddons

from everbearer.broker import Broker
from everbearer.proxy.assemble import assemble
from everbearer.proxy.joined import EverbearerFront
from everbearer.proxy.notes import Note
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.stores.contract import Record
from everbearer.stores.memory import MemoryStore

TOKEN = "canary-token-0123456789"
CONFIG = """
default_profile = "ccg"

[profiles.ccg]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "hush"
subject = { type = "enterprise", id = "7" }

[profiles.devtoken]
provider = "box"
access_token = "developer-token-0123456789"
"""


class Saver:
    """Stands where mitmproxy saves flows, and keeps what is there by then."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def response(self, flow: HTTPFlow) -> None:
        self.seen.append((flow.request.path, flow.marked, flow.comment))

    error = response


@dataclass
class Shown:
    """A broker, the hooks on it, and what is seen behind them."""

    broker: Broker
    config: Path
    context: taddons.context
    parts: tuple[object, ...]
    alone: tuple[object, ...] = ()
    saver: Saver = field(default_factory=Saver)

    def part[T](self, kind: type[T]) -> T:
        return next(x for x in (*self.parts, *self.alone) if isinstance(x, kind))

    def note(self, flow: HTTPFlow) -> Note:
        """Return what the hooks know of a flow that is under way."""
        return self.part(EverbearerTokens)._notes.by_id[flow.id]

    async def hook(self, event: hooks.Hook) -> None:
        await self.context.master.addons.trigger_event(event)

    async def out(self, flow: HTTPFlow) -> None:
        """Let a request go out."""
        flow.live = True
        await self.hook(layers.http.HttpRequestHeadersHook(flow))
        await self.hook(layers.http.HttpRequestHook(flow))

    async def back(self, flow: HTTPFlow, answer: Response | None = None) -> None:
        """Let its answer come."""
        if answer is not None:
            flow.response = answer
            await self.hook(layers.http.HttpResponseHeadersHook(flow))
        await self.hook(layers.http.HttpResponseHook(flow))
        flow.live = False


def answer(status: int = 200) -> Response:
    """Return an answer of the server's."""
    return Response.make(status, b"{}", {"Content-Type": "application/json"})


@asynccontextmanager
async def shown_stage(folder: Path, *, looked_at: bool = True) -> AsyncIterator[Shown]:
    """Give hooks over a store that has a token, good for two and a half hours."""
    config = folder / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings, store, now = load(config, {}), MemoryStore(), time.time()
    record = Record(access_token=Secret(TOKEN), issued_at=now, expires_at=now + 9000)
    await store.save(settings.profiles["ccg"].key, record)
    broker = Broker(settings, lambda: load(config, {}), store=store)
    saver = Saver()
    made = assemble(broker, frozenset(), looked_at=looked_at)
    front = EverbearerFront(*made.front)
    with taddons.context(front, saver, *made.alone) as context:
        yield Shown(broker, config, context, made.front, made.alone, saver)
        for part in made.alone:
            getattr(part, "done", lambda: None)()
    await broker.stop()
