"""Calls that block, beside the event loop, for as long as somebody waits."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def aside[T](call: Callable[[], T]) -> T:
    """
    Return what *call* returns in a thread of its own, or raise what it raises.

    A keyring may wait for a person and a database for its network: whoever stops
    waiting here is not held up in the end, as by asyncio's own threads.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - the waiting one's to judge
            _tell(loop, partial(_fail, future, error))
        else:
            _tell(loop, partial(_finish, future, result))

    threading.Thread(target=work, daemon=True, name="everbearer-doctor").start()
    return await future


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


def _finish[T](future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail[T](future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
