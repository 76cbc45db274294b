"""
What happens to a request's body on its way.

Small bodies of known length are left to mitmproxy, which keeps them. All others
are streamed; if a request may have to be sent again, a spool keeps a copy. The
callables here are called by mitmproxy for each chunk and never raise: one that
does would hang the client.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Final, Self

from everbearer.proxy import internals
from everbearer.report import report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitmproxy.http import HTTPFlow

    from everbearer.proxy.spool import Spool

logger = logging.getLogger(__name__)

KEPT: Final = 1024 * 1024
"""Bodies up to this many bytes, of known length, may be kept whole in memory."""

HELD: Final = 64 * 1024
"""Answers up to this many bytes, of known length, leave when they are whole."""


def is_small(length: int | None) -> bool:
    """Tell whether mitmproxy may keep a body of this length."""
    return length is not None and length <= KEPT


def digest(pieces: Iterable[bytes]) -> str:
    """Return the digest of a body as schemes get it (contract.Need)."""
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(piece)
    return whole.hexdigest()


class Copy:
    """
    Pass an answer on and keep it, as long as it is short.

    For whoever looks at flows or saves them: what is streamed they would not see.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: bytearray | None = bytearray()

    def __call__(self, chunk: bytes) -> bytes:
        """Return what goes on to the client."""
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > KEPT:
                self._kept = None
        return chunk

    def whole(self) -> bytes | None:
        """Return the answer's body; None for one that was too long to keep."""
        return None if self._kept is None else bytes(self._kept)


class Stream:
    """
    Pass the body on, keep a copy in *spool* if there is one.

    A body in HTTP/2 without Content-Length has no framing of its own in
    HTTP/1: mitmproxy would send it bare, and the server would read it as the
    next request. Whatever of it comes is swallowed and the client cut off.
    """

    __slots__ = ("_flow", "_spool", "_unframed")

    def __init__(self, flow: HTTPFlow, spool: Spool | None) -> None:
        self._flow = flow
        self._spool = spool
        request = flow.request
        self._unframed = (request.is_http2 or request.is_http3) and (
            "content-length" not in request.headers
        )

    def __call__(self, chunk: bytes) -> bytes | list[bytes]:
        """Return what goes on to the server."""
        if not chunk:
            return chunk
        try:
            if self._unframed and self._flow.server_conn.alpn != b"h2":
                logger.warning("refused a body without length: cutting the client off")
                internals.abort(self._flow.client_conn, self._flow.client_conn)
                return []
            if self._spool is not None:
                self._spool.write(chunk)
        except Exception as error:
            report("the body of a request could not be looked at", error)
            if self._unframed:
                return []
            if self._spool is not None:
                self._spool.broken = "an internal error"
        return chunk


class Held:
    """
    Stands where mitmproxy gathers a body, and puts it into *spool* instead.

    It seems empty at all times: whatever mitmproxy's limits are, it then neither
    begins to stream, which would let the head out, nor holds the body in memory.
    """

    __slots__ = ("_spool",)

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def __iadd__(self, chunk: bytes) -> Self:
        """Keep *chunk*, or drop it once the spool is broken."""
        try:
            self._spool.write(chunk)
        except BaseException as error:
            report("the body of a request could not be kept", error)
            self._spool.broken = "an internal error"
        return self

    def __len__(self) -> int:
        return 0

    def __bytes__(self) -> bytes:
        return b""

    def clear(self) -> None:
        """Do nothing: the spool is closed with its request."""
