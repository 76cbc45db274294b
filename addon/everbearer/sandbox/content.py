"""File contents: real ones on disk up to a size, synthetic ones of any size."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Uploads beyond this are hashed and counted, and cannot be downloaded again.
KEEP_LIMIT = 64 * 1024 * 1024
CHUNK = 256 * 1024
_PATTERN = hashlib.shake_256(b"everbearer sandbox").digest(CHUNK) * 2


@dataclass(frozen=True, slots=True)
class Content:
    """
    The bytes of one version of a file.

    Without *path* they are synthetic, or no longer there: see *kept*.
    """

    length: int
    sha1: str
    path: Path | None = None
    kept: bool = True

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from *start* up to *end*, piece by piece."""
        end = self.length if end is None else end
        if self.path is None:
            yield from synthetic_chunks(start, end)
            return
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end:
                piece = file.read(min(CHUNK, end - start))
                start += len(piece)
                yield piece


def synthetic(length: int) -> Content:
    """Return *length* bytes that are made when read, the same on every reading."""
    digest = hashlib.sha1(usedforsecurity=False)
    for chunk in synthetic_chunks(0, length):
        digest.update(chunk)
    return Content(length=length, sha1=digest.hexdigest())


def synthetic_chunks(start: int, end: int) -> Iterator[bytes]:
    """Yield the made-up bytes from *start* up to *end*."""
    while start < end:
        number, inside = divmod(start, CHUNK)
        size = min(CHUNK - inside, end - start)
        # Each chunk starts elsewhere in the pattern, so that a chunk that is lost,
        # doubled or misplaced changes the hash.
        offset = number * 4099 % CHUNK + inside
        yield _PATTERN[offset : offset + size]
        start += size


class ContentFolder:
    """Where the contents lie; files are private to the user."""

    def __init__(self, path: Path, keep_limit: int = KEEP_LIMIT) -> None:
        self._path = path
        self._keep_limit = keep_limit
        self._count = 0

    def writer(self) -> "ContentWriter":
        """Return a writer for a new content."""
        self._count += 1
        return ContentWriter(self._path / str(self._count), self._keep_limit)

    def joined(self, parts: list[Content]) -> Content:
        """
        Return the parts, one after the other, as one content.

        The parts' own files are gone afterwards.
        """
        writer = self.writer()
        for part in parts:
            for chunk in part.chunks():
                writer.write(chunk)
            delete(part)
        return writer.finish()


def copied(content: Content, writer: "ContentWriter") -> Content:
    """Return the same bytes with a life of their own."""
    if content.path is None:
        return content
    for chunk in content.chunks():
        writer.write(chunk)
    return writer.finish()


def delete(content: Content) -> None:
    """Remove the content's file if it has one."""
    if content.path is not None:
        content.path.unlink(missing_ok=True)


class ContentWriter:
    """Takes the bytes of one content as they arrive, in constant memory."""

    def __init__(self, path: Path, keep_limit: int) -> None:
        self._path = path
        self._keep_limit = keep_limit
        self._file: BinaryIO | None = None
        self._kept = True
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._length = 0

    def write(self, chunk: bytes) -> None:
        """Append *chunk*."""
        self._sha1.update(chunk)
        self._length += len(chunk)
        if self._length > self._keep_limit:
            self._kept = False
            self._drop()
            return
        if self._file is None:
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
            )
            self._file = os.fdopen(descriptor, "wb")
        self._file.write(chunk)

    def finish(self) -> Content:
        """Return the content; nothing may be written afterwards."""
        path = None
        if self._file is not None:
            self._file.close()
            self._file = None
            path = self._path
        return Content(self._length, self._sha1.hexdigest(), path, kept=self._kept)

    def discard(self) -> None:
        """Forget what was written."""
        self._kept = False
        self._drop()

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)
