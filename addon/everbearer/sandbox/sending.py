"""Writing an answer to a connection: at once, or as a fault wants it."""

import asyncio
from collections.abc import Iterator
from http.client import responses

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, ResponseStartLine

from everbearer.sandbox.clock import Clock
from everbearer.sandbox.content import CHUNK
from everbearer.sandbox.faults import Effect
from everbearer.sandbox.message import Answer

_NO_CONTENT = 204
# A dripped body comes in this many pieces a second.
_DRIPS_PER_SECOND = 10


def send_at_once(connection: HTTP1Connection, clock: Clock, answer: Answer) -> None:
    """Send an answer that has no stream."""
    connection.write_headers(*_head(clock, answer), answer.body)
    connection.finish()


async def send_unfinished(
    connection: HTTP1Connection, clock: Clock, answer: Answer
) -> None:
    """
    Send an answer while the request is still being read, and do not finish it.

    tornado would close the connection of an answer that is finished too early.
    """
    await connection.write_headers(*_head(clock, answer), answer.body)


async def send(
    connection: HTTP1Connection, clock: Clock, answer: Answer, effect: Effect
) -> None:
    """
    Send an answer piece by piece, with back-pressure.

    Raises StreamClosedError when the client has left.
    """
    await connection.write_headers(*_head(clock, answer))
    left = effect.truncate
    for piece in _pieces(answer, effect):
        cut = piece if left is None else piece[:left]
        if cut:
            await connection.write(cut)
        if left is not None:
            left -= len(cut)
            if left <= 0:
                break
        if effect.drip:
            await asyncio.sleep(len(cut) / effect.drip)
    if effect.truncate is not None:
        connection.stream.close()
    else:
        connection.finish()


def _head(clock: Clock, answer: Answer) -> tuple[ResponseStartLine, HTTPHeaders]:
    fields = HTTPHeaders()
    for name, value in answer.fields:
        fields.add(name, value)
    fields.add("Date", clock.http_date())
    fields.add("box-request-id", answer.request_id)
    if not answer.chunked and answer.status != _NO_CONTENT:
        length = len(answer.body) if answer.length is None else answer.length
        fields.add("Content-Length", str(length))
    reason = responses.get(answer.status, "Unknown")
    return ResponseStartLine("HTTP/1.1", answer.status, reason), fields


def _pieces(answer: Answer, effect: Effect) -> Iterator[bytes]:
    size = CHUNK
    if effect.drip:
        size = max(1, min(CHUNK, int(effect.drip / _DRIPS_PER_SECOND)))
    for chunk in answer.stream or (answer.body,):
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
