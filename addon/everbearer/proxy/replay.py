"""
A 401 for a request that carried our token, answered by one replay.

The server rejected the request before acting on it, so sending it again is safe
on any method. What is never done: half a body, twice, or for a token exchange.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.proxy.apply import apply
from everbearer.proxy.notes import Note, Target
from everbearer.proxy.replay_connection import (
    Limits,
    ReplayConnection,
    ReplayFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.http import HTTPFlow, Response

    from everbearer.broker import Broker
    from everbearer.proxy.notes import Notes
    from everbearer.schemes.contract import Credential

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 32
"""Replays under way at the same time; each has a connection of its own."""


def cannot_replay(note: Note) -> str:
    """Say why the request cannot be sent once more; "" when it can."""
    flow = note.flow
    if flow.request.timestamp_end is None:
        return "the client was still sending its body"
    if flow.websocket is not None:
        return "a WebSocket is not opened twice"
    if not flow.request.stream:
        return "" if flow.request.raw_content is not None else "its body was not kept"
    if note.spool is None:
        return "its body was not kept"
    return note.spool.broken


class Replays:
    """Sends requests once more, a limited number at a time."""

    def __init__(self, broker: Broker, notes: Notes, limits: Limits) -> None:
        self._broker = broker
        self._notes = notes
        self._limits = limits
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def send(
        self, note: Note, credential: Credential, learned: str | None
    ) -> Response:
        """
        Send the request of *note* with *credential* and return the answer.

        Raises AnswerTooLarge or ReplayFailed (replay_connection).
        """
        async with self._places:
            if self._notes.closed:
                raise ReplayFailed("everbearer is stopping")
            flow = self._copy(note, credential, learned)
            replay_note = self._notes.get(flow)
            assert replay_note is not None
            try:
                assert note.view is not None
                connection = ReplayConnection(
                    flow,
                    _pieces(note),
                    verified=note.view.verified_name,
                    limits=self._limits,
                )
                await connection.send()
            finally:
                self._notes.forget(replay_note)
            assert flow.response is not None
            return flow.response

    def _copy(
        self, note: Note, credential: Credential, learned: str | None
    ) -> HTTPFlow:
        """Make the replay's flow and its note: decided as the first one was."""
        flow: HTTPFlow = note.flow.copy()
        flow.response = None
        flow.error = None
        flow.websocket = None
        flow.is_replay = "request"
        flow.request.stream = False
        flow.request.timestamp_end = None
        flow.server_conn.via = note.flow.server_conn.via
        if note.spool is not None and flow.request.stream is False:
            _frame(flow, note.spool.size)
        assert note.view is not None
        scheme = self._broker.scheme(credential.profile)
        changes = scheme.prepare(
            note.view,
            credential,
            None,
            learned,
            self._broker.clock.wall(),
            self._broker.nonce(),
        )
        apply(flow, scheme, changes)
        copy = replace(
            note,
            flow=flow,
            spool=None,
            is_replay=True,
            credential=credential,
            changes=changes,
            target=Target.of(flow),
        )
        self._notes.add(copy)
        return flow


def _pieces(note: Note) -> Iterator[bytes]:
    if note.spool is not None and note.flow.request.stream:
        return note.spool.chunks()
    content = note.flow.request.raw_content
    return iter([content] if content else [])


def _frame(flow: HTTPFlow, size: int) -> None:
    # The length is known now; HTTP/1.1 needs one, or chunks, to end the body.
    fields = flow.request.headers
    if "content-length" not in fields and "transfer-encoding" not in fields and size:
        fields["content-length"] = str(size)
