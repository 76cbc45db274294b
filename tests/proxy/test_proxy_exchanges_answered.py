"""Only what a server answers to a client's redeem is our next pair."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from mitmproxy.http import HTTPFlow, Response
from mitmproxy.test import taddons

from everbearer.broker import Broker
from everbearer.proxy.assemble import assemble
from everbearer.proxy.exchanges import EverbearerExchanges
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.stores.contract import Record
from everbearer.stores.memory import MemoryStore
from proxy.flows import asked
from proxy.hooked import hooked

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[profiles.dev]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = "hush"
refresh_token = "refresh-0"
"""
FORM = b"grant_type=refresh_token&client_id=id&client_secret=s&refresh_token=refresh-1"
PAIR = b'{"access_token": "new", "refresh_token": "refresh-2", "expires_in": 3600}'


def redeem() -> HTTPFlow:
    """Return a client's redeem of the refresh token in the store, without its body."""
    return asked(
        "POST",
        "/oauth2/token",
        body=None,
        content_type="application/x-www-form-urlencoded",
        content_length=str(len(FORM)),
    )


@pytest.mark.parametrize("scripted", [True, False])
async def test_a_pair_that_no_server_gave_is_not_saved(
    tmp_path: Path, scripted: bool
) -> None:
    """A script answers with a pair of its own, and mitmproxy calls the same hooks."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {})
    key, store, now = settings.profiles["dev"].key, MemoryStore(), time.time()
    old = Record(
        access_token=Secret("old"),
        issued_at=now,
        expires_at=now + 3600,
        refresh_token=Secret("refresh-1"),
    )
    await store.save(key, old)
    broker = Broker(settings, lambda: settings, store=store)
    front = assemble(broker, frozenset(), looked_at=True).front
    tokens = next(each for each in front if isinstance(each, EverbearerTokens))
    exchanges = next(each for each in front if isinstance(each, EverbearerExchanges))
    flow = redeem()
    answer = Response.make(200, PAIR, {"Content-Type": "application/json"})
    with taddons.context():
        await hooked(tokens.requestheaders, flow)
        exchanges.requestheaders(flow)
        flow.request.data.content = FORM
        await exchanges.request(flow)
        assert broker.client_redeems.let_go == {"dev"}
        if scripted:
            flow.response = answer
        await flow.wait_for_resume()
        assert (flow.request.data.content == FORM) is not scripted
        flow.response = answer
        tokens.responseheaders(flow)
        exchanges.responseheaders(flow)
        await exchanges.response(flow)
        await flow.wait_for_resume()
        assert answer.data.content == PAIR
        flow.live = False
    while broker.client_redeems.let_go:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)
    stored = await store.load(key)
    await broker.stop()
    assert stored.refresh_token == Secret("refresh-1" if scripted else "refresh-2")
