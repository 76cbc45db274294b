"""multipart/form-data, parsed as it arrives (RFC 7578, RFC 2046 §5.1)."""

import re
from collections.abc import Callable
from enum import Enum, auto

HEAD_LIMIT = 16 * 1024

_BOUNDARY = re.compile(
    r"""^multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^;\s"]+))""",
    re.IGNORECASE,
)
_NAME = re.compile(r"""[;\s]name=(?:"([^"]*)"|([^;\s"]+))""", re.IGNORECASE)


class MultipartError(ValueError):
    """The body is no multipart/form-data, or not a complete one."""


class _State(Enum):
    PREAMBLE = auto()
    AFTER_BOUNDARY = auto()
    HEAD = auto()
    CONTENT = auto()
    END = auto()


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names; raises MultipartError."""
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise MultipartError("the body is not multipart/form-data with a boundary")
    return (match[1] or match[2]).encode("latin-1")


class Multipart:
    """
    Splits a body into named parts.

    Calls `part(name, chunk)` for each piece of a part's content, and with an empty
    piece where a part begins. However the body is cut into chunks, each part gets
    the same bytes. Holds no more than a boundary and a part's head.
    """

    def __init__(self, boundary: bytes, part: Callable[[str, bytes], None]) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._part = part
        self._state = _State.PREAMBLE
        self._name = ""
        # The first boundary has no line before it.
        self._pending = b"\r\n"

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; raises MultipartError."""
        self._pending += chunk
        while self._step():
            pass

    def finish(self) -> None:
        """Take the end of the body; raises MultipartError if it comes too early."""
        if self._state is not _State.END:
            raise MultipartError("the multipart body ends before its last boundary")

    def _step(self) -> bool:
        match self._state:
            case _State.PREAMBLE | _State.CONTENT:
                return self._to_boundary()
            case _State.AFTER_BOUNDARY:
                return self._after_boundary()
            case _State.HEAD:
                return self._head()
            case _State.END:
                self._pending = b""
                return False

    def _to_boundary(self) -> bool:
        inside = self._state is _State.CONTENT
        at = self._pending.find(self._delimiter)
        if at >= 0:
            if inside and at:
                self._part(self._name, self._pending[:at])
            self._pending = self._pending[at + len(self._delimiter) :]
            self._state = _State.AFTER_BOUNDARY
            return True
        # A boundary may have begun: what could be its start waits.
        safe = len(self._pending) - len(self._delimiter) + 1
        if safe > 0:
            if inside:
                self._part(self._name, self._pending[:safe])
            self._pending = self._pending[safe:]
        return False

    def _after_boundary(self) -> bool:
        if len(self._pending) < len(b"--"):
            return False
        if self._pending.startswith(b"--"):
            self._state = _State.END
            return True
        if not self._pending.startswith(b"\r\n"):
            raise MultipartError("a boundary is followed by neither a line nor an end")
        self._state = _State.HEAD
        return True

    def _head(self) -> bool:
        # The line break after the boundary stays in place, so that a part without
        # any field has its blank line found too.
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            if len(self._pending) > HEAD_LIMIT:
                raise MultipartError("the head of a part is too long")
            return False
        head = self._pending[:end].decode("utf-8", "replace")
        self._pending = self._pending[end + 4 :]
        self._name = _part_name(head)
        self._part(self._name, b"")
        self._state = _State.CONTENT
        return True


def _part_name(head: str) -> str:
    for line in head.split("\r\n"):
        field_name, _, value = line.partition(":")
        if field_name.strip().lower() == "content-disposition":
            match = _NAME.search(value)
            if match:
                return match[1] if match[1] is not None else match[2]
    raise MultipartError("a part has no name")
