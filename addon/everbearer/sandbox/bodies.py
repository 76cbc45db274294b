"""What becomes of a request's body while it arrives, in bounded memory."""

import hashlib
import json
from typing import Protocol

from everbearer.sandbox.content import Content, ContentWriter
from everbearer.sandbox.multipart import Multipart, MultipartError, boundary_of

BUFFER_LIMIT = 4 * 1024 * 1024
ATTRIBUTES_LIMIT = 256 * 1024


class Receiver(Protocol):
    """Takes a body in pieces."""

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""

    def discard(self) -> None:
        """Forget everything: nobody will ask for it."""


class Received:
    """A body with its SHA-256 and length, handed on to a receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.length = 0
        self._sha256 = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.length += len(chunk)
        self._sha256.update(chunk)
        self.receiver.feed(chunk)

    def sha256(self) -> str:
        """Return the hash of what has arrived, in hexadecimal."""
        return self._sha256.hexdigest()

    def buffered(self) -> bytes:
        """Return the whole body, if the route buffers it; else nothing."""
        return self.receiver.body() if isinstance(self.receiver, Buffer) else b""


class Buffer:
    """Keeps the body in memory, up to a limit; *overflown* tells of more."""

    def __init__(self, limit: int = BUFFER_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._length = 0
        self.overflown = False

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._length += len(chunk)
        if self._length > self._limit:
            self.overflown = True
            self._pieces.clear()
        else:
            self._pieces.append(chunk)

    def body(self) -> bytes:
        """Return what has arrived; nothing if it was too much."""
        return b"" if self.overflown else b"".join(self._pieces)

    def discard(self) -> None:
        """Forget everything."""
        self._pieces.clear()


class Part:
    """Writes the body as it is to the content folder."""

    def __init__(self, writer: ContentWriter) -> None:
        self._writer = writer

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._writer.write(chunk)

    def finish(self) -> Content:
        """Return what has arrived."""
        return self._writer.finish()

    def discard(self) -> None:
        """Forget everything."""
        self._writer.discard()


class FormUpload:
    """
    Takes Box's upload form: a part `attributes`, then one with the file.

    The latter may have any name: documentation and SDKs say `file`, older ones
    `content`, rclone `contents`. *problem* says what is wrong with the form; the
    rest of it is then ignored.
    """

    def __init__(self, content_type: str, writer: ContentWriter) -> None:
        self._writer = writer
        self._attributes = b""
        self._file: str | None = None
        self.problem: str | None = None
        self.attributes_late = False
        self._multipart: Multipart | None = None
        try:
            self._multipart = Multipart(boundary_of(content_type), self._take)
        except MultipartError as error:
            self.problem = str(error)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        if self._multipart is None or self.problem:
            return
        try:
            self._multipart.feed(chunk)
        except MultipartError as error:
            self.problem = str(error)

    def finish(self) -> tuple[dict[str, object], Content]:
        """Return the attributes and the file; raises MultipartError."""
        if self.problem is None and self._multipart is not None:
            self._multipart.finish()
        if self.problem is not None:
            raise MultipartError(self.problem)
        if self._file is None:
            raise MultipartError("the form has no part with a file")
        try:
            attributes = json.loads(self._attributes or b"{}")
        except ValueError:
            raise MultipartError("the part 'attributes' is no JSON") from None
        if not isinstance(attributes, dict):
            raise MultipartError("the part 'attributes' is no JSON object")
        return attributes, self._writer.finish()

    def discard(self) -> None:
        """Forget everything."""
        self._writer.discard()

    def _take(self, name: str, piece: bytes) -> None:
        if name == "attributes":
            self.attributes_late |= self._file is not None
            self._attributes += piece
            if len(self._attributes) > ATTRIBUTES_LIMIT:
                raise MultipartError("the part 'attributes' is too large")
            return
        if self._file is None:
            self._file = name
        elif name != self._file:
            raise MultipartError("the form has two parts beside 'attributes'")
        if piece:
            self._writer.write(piece)
