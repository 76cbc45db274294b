"""What everbearer adds to a request that gets a token, measured in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mitmproxy.http import Headers, HTTPFlow, Response
from mitmproxy.test import taddons, tflow

from everbearer.broker import Broker
from everbearer.proxy.assemble import assemble
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.stores.contract import Record
from everbearer.stores.memory import MemoryStore
from proxy.hooked import hooked

ROUNDS = 20
FLOWS = 50
FIELDS = [
    (b"Host", b"api.box.com"),
    (b"User-Agent", b"PostmanRuntime/7.43.0"),
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"gzip, deflate, br"),
    (b"Connection", b"keep-alive"),
    (b"Cache-Control", b"no-cache"),
    (b"X-Box-UA", b"agent=box-python-sdk/10.0.0; env=Python/3.13"),
    (b"Postman-Token", b"3a5f0c1e-1111-4222-8333-944445555666"),
]
CONFIG = """
[profiles.ccg]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "canary-7f3a"
subject = { type = "enterprise", id = "1" }
"""


def asked() -> HTTPFlow:
    """Return a request inside a CONNECT tunnel to the API, as a tool makes it."""
    flow = tflow.tflow(resp=False)
    flow.client_conn.sockname = ("127.0.0.1", 8080)
    flow.client_conn.sni = "api.box.com"
    flow.server_conn.address = ("api.box.com", 443)
    flow.server_conn.sni = "api.box.com"
    flow.request.data.host = "api.box.com"
    flow.request.data.port = 443
    flow.request.scheme = "https"
    flow.request.method = "GET"
    flow.request.path = "/2.0/folders/0/items?limit=100&fields=id,name"
    flow.request.headers = Headers(FIELDS)
    flow.request.data.content = b""
    return flow


def answered(flow: HTTPFlow) -> None:
    """Put the server's answer into the flow."""
    flow.response = Response.make(
        200, b'{"entries": []}', {"Content-Type": "application/json"}
    )


async def test_added_code_on_the_hot_path(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    """Every flow of the measurement gets the token, leaves, and is redacted after."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {})
    store = MemoryStore()
    now = time.time()
    await store.save(
        settings.profiles["ccg"].key,
        Record(
            access_token=Secret("canary-token"), issued_at=now, expires_at=now + 3600
        ),
    )
    broker = Broker(settings, lambda: settings, store=store)
    addons = assemble(broker, frozenset(), looked_at=False)
    [tokens] = [each for each in addons.front if isinstance(each, EverbearerTokens)]
    guard = addons.guard
    out, back = [], []
    with taddons.context():
        for _ in range(ROUNDS):
            flows = [asked() for _ in range(FLOWS)]
            began = time.perf_counter()
            for flow in flows:
                await hooked(tokens.requestheaders, flow)
                guard.requestheaders(flow)
                guard.request(flow)
            out.append((time.perf_counter() - began) / FLOWS)
            for flow in flows:
                assert flow.request.headers["authorization"] == "Bearer canary-token"
                assert flow.response is None
                answered(flow)
            began = time.perf_counter()
            for flow in flows:
                tokens.responseheaders(flow)
                assert tokens.response(flow) is None
            back.append((time.perf_counter() - began) / FLOWS)
            for flow in flows:
                assert "canary-token" not in str(flow.get_state())
    await broker.stop()
    record_property(
        "measured",
        f"added code for a request with a token, best of {ROUNDS} rounds:"
        f" {min(out) * 1e6:.0f} µs on its way out, {min(back) * 1e6:.0f} µs on its"
        " way back",
    )
