"""What its HTTP does with requests that are none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from samples import settings

from everbearer.broker import Broker
from everbearer.dashboard.collector import Collector
from everbearer.dashboard.running import Place, running
from everbearer.dashboard.session import KEY_BYTES, Keys
from everbearer.dashboard.state import Instance
from everbearer.dashboard.visitors import CONNECTIONS
from everbearer.proxy.addresses import bound_to
from everbearer.secret import Secret
from everbearer.stores.memory import MemoryStore

pytestmark = pytest.mark.real

FORM = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n"


async def ask(port: int, line: str, fields: str = "", body: str = "") -> bytes:
    """Send a request as it is written; return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    host = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n"
    writer.write(f"{line} HTTP/1.1\r\n{host}{fields}\r\n{body}".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.partition(b"\r\n")[0]


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Serve a dashboard, and return its port."""
    config = settings(tmp_path)
    broker = Broker(config, lambda: config, store=MemoryStore())
    key = Secret("k" * KEY_BYTES)
    place = Place(bound_to("127.0.0.1", 0), Keys(key, key))
    instance = Instance("1.0", 1, lambda _: "", lambda _: ())
    async with running(place, broker, Collector(), instance, {}):
        yield place.address[1]
    place.listening.close()


async def test_who_asks_nonsense_fills_no_log(
    port: int, caplog: pytest.LogCaptureFixture
):
    """Any page and any user can send it: it is refused, and no failure of ours."""
    with caplog.at_level(logging.WARNING):
        assert b" 405 " in await ask(port, "FOO /")
        assert b" 400 " in await ask(port, "GET /open?ticket=%ff")
        # Older versions of tornado look at the form later than at the rest.
        refused = (await ask(port, "POST /", FORM, "xyz")).split()[1]
        assert refused in {b"400", b"403"}
    assert caplog.messages == []


async def test_who_holds_connections_keeps_nobody_out(port: int):
    """With all of them taken the next one is answered, and the oldest has to go."""
    held = [
        await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    async with asyncio.timeout(10):
        assert b" 403 " in await ask(port, "GET /")
        assert await held[0][0].read() == b""
    assert not held[1][0].at_eof()
    for _, each in held:
        each.close()
        with suppress(ConnectionError):
            await each.wait_closed()


async def test_a_first_head_has_to_come_soon(port: int):
    """Who says nothing is let go of; who has asked before is waited for longer."""
    kept, asks = await asyncio.open_connection("127.0.0.1", port)
    asked = f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    asks.write(asked)
    assert b" 403 " in await kept.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(30):
        silent, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await silent.read() == b""
        asks.write(asked)
        assert b" 403 " in await kept.readuntil(b"\r\n\r\n")
    for each in (asks, writer):
        each.close()
        await each.wait_closed()
