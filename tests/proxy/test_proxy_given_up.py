"""A request that is given up while everbearer waits does not leave as it came."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from mitmproxy.flow import Error
from mitmproxy.test import taddons

from proxy.test_proxy_prepared import asked, broker_with_token, tokens_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("how", ["cancelled", "closed"])
async def test_a_hook_that_is_cut_short_refuses(tmp_path: Path, how: str):
    """Cancelled, or closed with its loop: the request has an answer, and no token."""
    broker = await broker_with_token(tmp_path)
    flow = asked()
    with taddons.context():
        waiting = tokens_of(broker).requestheaders(flow)
        assert asyncio.iscoroutine(waiting)
        if how == "closed":
            waiting.send(None)
            waiting.close()
        else:
            task = asyncio.ensure_future(waiting)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

    assert "authorization" not in flow.request.headers
    assert flow.response is not None
    assert flow.response.status_code >= 500
    await broker.stop()


@pytest.mark.parametrize("how", ["error", "live"])
async def test_a_client_that_has_gone_meanwhile_gets_no_token(tmp_path: Path, how: str):
    """What it asked for is nobody's now: no token enters the flow."""
    broker = await broker_with_token(tmp_path)
    flow = asked()
    with taddons.context():
        waiting = tokens_of(broker).requestheaders(flow)
        assert waiting is not None
        if how == "error":
            flow.error = Error("the client has gone")
        else:
            flow.live = False
        await waiting

    assert "authorization" not in flow.request.headers
    assert flow.response is None
    await broker.stop()
