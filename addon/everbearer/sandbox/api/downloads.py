"""Downloads: the 302 to an address with its own right, representations, zips."""

import re
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

from everbearer.sandbox import shapes
from everbearer.sandbox.api.items import file_of, folder_of
from everbearer.sandbox.content import KEEP_LIMIT, Content, ContentWriter
from everbearer.sandbox.message import Answer, Fields, Refused
from everbearer.sandbox.sessions import DOWNLOAD_LIFE, ZIP_LIFE, Download
from everbearer.sandbox.tree import File, Folder, Item, timestamp
from everbearer.sandbox.world import Call


def redirect(call: Call) -> Answer:
    """GET /files/:id/content: 302 to dl.boxcloud.com, which asks for no token."""
    file = file_of(call, call.args[0])
    world = call.world
    key = world.downloads.add(
        Download(file.name, file.content, world.clock.now() + DOWNLOAD_LIFE)
    )
    address = f"https://dl.boxcloud.com/d/1/{key}/download"
    return Answer(302, fields=(("Location", address),))


def signed(call: Call) -> Answer:
    """GET dl.boxcloud.com/d/1/:opaque/download."""
    world = call.world
    download = world.downloads.get(call.args[0], world.clock.now())
    if download is None:
        return shapes.client_error(404)
    return _served(call, download.content, download.name)


def representation(call: Call) -> Answer:
    """GET dl.boxcloud.com/api/2.0/internal_files/…: needs the bearer token."""
    file = file_of(call, call.args[0])
    if call.args[1] != file.version_id:
        return shapes.client_error(404)
    return _served(call, file.content, file.name)


def new_zip(call: Call) -> Answer:
    """POST /zip_downloads."""
    given = call.request.json()
    listed = given.get("items")
    if not isinstance(listed, list) or not listed:
        return shapes.client_error(400, message="'items' is required")
    chosen: list[Item] = []
    for each in listed:
        found = folder_of if each.get("type") == "folder" else file_of
        chosen.append(found(call, each.get("id")))
    world = call.world
    name = str(given.get("download_file_name", "download")) + ".zip"
    content = _zipped(call, chosen)
    expires_at = world.clock.now() + ZIP_LIFE
    key = world.downloads.add(Download(name, content, expires_at))
    return shapes.ok(
        {
            "download_url": f"https://dl.boxcloud.com/2.0/zip_downloads/{key}/content",
            "status_url": f"https://api.box.com/2.0/zip_downloads/{key}/status",
            "expires_at": timestamp(expires_at),
            "name_conflicts": [],
        },
        202,
    )


def zip_status(call: Call) -> Answer:
    """GET /zip_downloads/:id/status."""
    world = call.world
    if world.downloads.get(call.args[0], world.clock.now()) is None:
        return shapes.client_error(404)
    return shapes.ok(
        {
            "total_file_count": 1,
            "downloaded_file_count": 1,
            "skipped_file_count": 0,
            "skipped_folder_count": 0,
            "state": "succeeded",
        }
    )


def _served(call: Call, content: Content, name: str) -> Answer:
    if not content.kept:
        raise _too_large()
    if content.path is not None and not content.path.exists():
        return shapes.client_error(404)
    start, end = _range(call, content.length)
    partial = (start, end) != (0, content.length)
    fields: Fields = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}"),
        ("Accept-Ranges", "bytes"),
    )
    if partial:
        span = f"bytes {start}-{end - 1}/{content.length}"
        fields = (*fields, ("Content-Range", span))
    return Answer(
        206 if partial else 200,
        fields=fields,
        stream=content.chunks(start, end),
        length=end - start,
    )


def _range(call: Call, length: int) -> tuple[int, int]:
    """Return the bytes that a Range field asks for, one range of the simple kind."""
    given = re.fullmatch(
        r"bytes=(\d+)-(\d*)", call.request.fields.get("Range", "").strip()
    )
    if given is None:
        return 0, length
    start = int(given[1])
    end = min(int(given[2]) + 1, length) if given[2] else length
    if start >= end:
        # RFC 9110 §15.5.17: says how long the thing is.
        unsatisfied = ("Content-Range", f"bytes */{length}")
        raise Refused(shapes.client_error(416, fields=(unsatisfied,)))
    return start, end


def _zipped(call: Call, chosen: list[Item]) -> Content:
    files = [each for item in chosen for each in _files_in(item, "")]
    if sum(file.content.length for _, file in files) > KEEP_LIMIT or not all(
        file.content.kept for _, file in files
    ):
        raise _too_large()
    writer = call.world.contents.writer()
    with zipfile.ZipFile(_Sequential(writer), "w", zipfile.ZIP_STORED) as archive:
        for path, file in files:
            with archive.open(path, "w") as entry:
                for chunk in file.content.chunks():
                    entry.write(chunk)
    return writer.finish()


def _files_in(item: Item, above: str) -> Iterator[tuple[str, File]]:
    path = above + item.name
    if isinstance(item, Folder):
        for child in item.children.values():
            yield from _files_in(child, f"{path}/")
    else:
        yield path, item


class _Sequential:
    """What zipfile writes to where it cannot go back."""

    def __init__(self, writer: ContentWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> int:
        self._writer.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Leave the end to the writer's owner."""


def _too_large() -> Refused:
    return Refused(
        shapes.client_error(
            501, message=f"the sandbox keeps no upload beyond {KEEP_LIMIT} bytes"
        )
    )
