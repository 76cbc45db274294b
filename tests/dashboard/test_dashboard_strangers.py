"""Whose a connection is, is found out without keeping anybody waiting."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from everbearer.dashboard.strangers import is_strangers

pytestmark = pytest.mark.real


async def test_no_thread_that_renewals_need_is_taken():
    """It is answered while every thread of the loop's own is busy."""
    loop, release = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, release.wait)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        connection, _ = listening.accept()
        with connection:
            try:
                async with asyncio.timeout(30):
                    assert not await is_strangers(connection)
            finally:
                release.set()
                await busy
