"""What a request waited for everbearer is told with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mitmproxy.http import HTTPFlow, Response
from mitmproxy.test import taddons, tflow

from everbearer.broker import Broker
from everbearer.events import Event, Exchanged
from everbearer.proxy.assemble import assemble
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.renewal.clock import SystemClock
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.stores.contract import Record
from everbearer.stores.memory import MemoryStore
from proxy.hooked import hooked

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[profiles.ccg]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "S" }
subject = { type = "enterprise", id = "1" }
"""


class Ticking(SystemClock):
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        self._now += 1.0
        return self._now


def asked(host: str = "api.box.com", **fields: str) -> HTTPFlow:
    """Return a request inside a CONNECT tunnel."""
    flow = tflow.tflow(resp=False)
    flow.client_conn.sockname = ("127.0.0.1", 8080)
    flow.client_conn.sni = flow.server_conn.sni = host
    flow.server_conn.address = (host, 443)
    flow.request.data.host, flow.request.data.port = host, 443
    flow.request.scheme, flow.request.method = "https", "GET"
    flow.request.path = "/2.0/users/me"
    flow.request.headers.clear()
    flow.request.headers["Host"] = host
    for name, value in fields.items():
        flow.request.headers[name] = value
    flow.request.data.content = b""
    return flow


async def broker_with_token(tmp_path: Path) -> Broker:
    """Return one whose store has a token."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {"S": "hush"})
    store, wall = MemoryStore(), time.time()
    token = Record(access_token=Secret("t"), issued_at=wall, expires_at=wall + 3600)
    await store.save(settings.profiles["ccg"].key, token)
    return Broker(settings, lambda: settings, store=store, clock=Ticking())


def tokens_of(broker: Broker) -> EverbearerTokens:
    """Return the hooks that decide, of an assembled proxy."""
    front = assemble(broker, frozenset(), looked_at=False).front
    [tokens] = [each for each in front if isinstance(each, EverbearerTokens)]
    return tokens


async def test_who_has_nothing_to_wait_for_makes_no_coroutine(tmp_path: Path):
    """Only the first request waits, for a look into the store."""
    broker = await broker_with_token(tmp_path)
    tokens, first, second = tokens_of(broker), asked(), asked()
    with taddons.context():
        waiting = tokens.requestheaders(first)
        assert waiting is not None
        assert "authorization" not in first.request.headers
        await waiting
        assert tokens.requestheaders(second) is None
    for flow in (first, second):
        assert flow.request.headers["authorization"] == "Bearer t"
    await broker.stop()


async def test_the_time_until_a_request_could_leave(tmp_path: Path):
    """It is part of the whole; a request that does not leave has none."""
    broker = await broker_with_token(tmp_path)
    tokens = tokens_of(broker)
    events: list[Event] = []
    broker.subscribe(events.append)
    with taddons.context():
        for flow in (asked(), asked(origin="https://evil.example")):
            await hooked(tokens.requestheaders, flow)
            flow.response = flow.response or Response.make(200)
            tokens.responseheaders(flow)
            tokens.response(flow)
    left, refused = [each for each in events if isinstance(each, Exchanged)]
    assert (left.verdict, refused.verdict) == ("inject", "refuse")
    assert 1.0 <= left.prepared < left.duration
    assert refused.prepared == 0.0
    await broker.stop()
