"""Upload sessions, and the addresses of downloads that carry their own right."""

from dataclasses import dataclass, field

from everbearer.sandbox.accounts import opaque
from everbearer.sandbox.content import Content, delete
from everbearer.sandbox.tree import File

PART_SIZE = 8 * 1024 * 1024
# DOC `uploads/chunked`: a file below this is refused.
SMALLEST_FILE = 20_000_000
# DOC `uploads/chunked`: seven days.
SESSION_LIFE = 7 * 24 * 3600.0
# DOC `downloads/get-url.md`: about 15 minutes.
DOWNLOAD_LIFE = 900.0
# OAS `ZipDownload`: the address is good for a few seconds, a started download longer.
ZIP_LIFE = 10.0


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that is there for good: it cannot be sent again."""

    part_id: str
    offset: int
    content: Content

    def to_json(self) -> dict[str, object]:
        """Return OAS's UploadPart."""
        return {
            "part_id": self.part_id,
            "offset": self.offset,
            "size": self.content.length,
            "sha1": self.content.sha1,
        }


@dataclass(slots=True)
class UploadSession:
    """A chunked upload; only the user who began it may go on with it."""

    id: str
    user_id: str
    size: int
    expires_at: float
    folder_id: str
    name: str
    replaces: File | None = None
    parts: dict[int, UploadedPart] = field(default_factory=dict)

    def in_order(self) -> list[UploadedPart]:
        """Return the parts by offset."""
        return [self.parts[offset] for offset in sorted(self.parts)]

    def discard(self) -> None:
        """Remove what was uploaded."""
        for part in self.parts.values():
            delete(part.content)


@dataclass(frozen=True, slots=True)
class Download:
    """A download whose address is its own credential."""

    name: str
    content: Content
    expires_at: float


class Downloads:
    """The download addresses given out."""

    def __init__(self) -> None:
        self._downloads: dict[str, Download] = {}

    def add(self, download: Download) -> str:
        """Return the opaque part of an address for *download*."""
        key = opaque(48)
        self._downloads[key] = download
        return key

    def get(self, key: str, now: float) -> Download | None:
        """Return the download, if its address is still good."""
        download = self._downloads.get(key)
        return download if download and download.expires_at > now else None
