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

from everbearer.proxy.body import digest
from everbearer.proxy.notes import Note, Target
from everbearer.proxy.replay_connection import (
    Limits,
    ReplayConnection,
    ReplayFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitmproxy.http import HTTPFlow, Response

    from everbearer.proxy.authorize import Authorizer
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
    if note.spool is not None:
        return note.spool.broken
    if flow.request.stream or flow.request.raw_content is None:
        return "its body was not kept"
    return ""


class Replays:
    """Sends requests once more, a limited number at a time."""

    def __init__(self, authorizer: Authorizer, notes: Notes, limits: Limits) -> None:
        self._authorizer = authorizer
        self._notes = notes
        self._limits = limits
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def send(self, note: Note, credential: Credential) -> Response:
        """
        Send the request of *note* with *credential* and return the answer.

        The note then has the credential and the changes that were answered.
        Raises AnswerTooLarge or ReplayFailed (replay_connection).
        """
        async with self._places:
            if self._notes.closed:
                raise ReplayFailed("everbearer is stopping")
            if note.body_digest is None and self._authorizer.needs_body(
                credential.profile
            ):
                note.body_digest = await asyncio.to_thread(digest, _pieces(note))
            flow = self._copy(note, credential)
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
            note.credential, note.changes = credential, replay_note.changes
            return flow.response

    def _copy(self, note: Note, credential: Credential) -> HTTPFlow:
        """Make the replay's flow and its note: decided as the first one was."""
        flow: HTTPFlow = note.flow.copy()
        flow.response = None
        flow.error = None
        flow.websocket = None
        flow.is_replay = "request"
        flow.request.stream = False
        flow.request.timestamp_end = None
        flow.server_conn.via = note.flow.server_conn.via
        if note.spool is not None:
            frame(flow, note.spool.size)
        assert note.view is not None
        changes = self._authorizer.authorize(
            flow, note.view, credential, note.body_digest
        )
        copy = replace(
            note,
            flow=flow,
            spool=None,
            is_replay=True,
            awaits_body=False,
            credential=credential,
            changes=changes,
            target=Target.of(flow),
        )
        self._notes.add(copy)
        return flow


def _pieces(note: Note) -> Iterator[bytes]:
    if note.spool is not None:
        return note.spool.chunks()
    content = note.flow.request.raw_content
    return iter([content] if content else [])


def frame(flow: HTTPFlow, size: int) -> None:
    """Say how long the body is: HTTP/1.1 needs that, or chunks, to end it."""
    fields = flow.request.headers
    if "content-length" not in fields and "transfer-encoding" not in fields and size:
        fields["content-length"] = str(size)
