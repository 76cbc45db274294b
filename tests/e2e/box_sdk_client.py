"""
A program with Box's own SDK for Python, which knows nothing of tokens.

Its arguments are the sandbox's control API, the file to upload and, optionally, the
proxy; without it, the SDK has the proxy of the environment. It tells what it saw as
JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import urllib.request
from pathlib import Path

from box_sdk_gen import BoxClient, BoxDeveloperTokenAuth, ProxyConfig
from box_sdk_gen.managers.folders import CreateFolderParent
from box_sdk_gen.managers.uploads import (
    UploadFileAttributes,
    UploadFileAttributesParentField,
)

SMALL = b"a small file, uploaded at once" * 1000


class RevokedMeanwhile(io.FileIO):
    """A file that has the token revoked between its first part and its second."""

    def __init__(self, path: str, control: str) -> None:
        super().__init__(path)
        self._control = control
        self.revoked = 0

    def read(self, size: int | None = -1, /) -> bytes | None:
        if self.tell() and not self.revoked:
            self.revoked = revoke(self._control)
        return super().read(size)


def revoke(control: str) -> int:
    """Have the sandbox take the token back; return how many there were."""
    asked = urllib.request.Request(
        f"{control}/_sandbox/tokens/revoke", data=b'{"profile": "dev"}', method="POST"
    )
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with straight.open(asked, timeout=30) as answer:
        return int(json.load(answer)["revoked"])


def main(control: str, path: str, proxy: str = "") -> None:
    """Use the SDK as its examples do."""
    client = BoxClient(auth=BoxDeveloperTokenAuth(token="<everbearer>"))
    if proxy:
        client = client.with_proxy(ProxyConfig(url=proxy))
    me = client.users.get_user_me()
    folder = client.folders.create_folder("From Python", CreateFolderParent(id="0"))
    small = client.uploads.upload_file(
        UploadFileAttributes(
            name="small.bin", parent=UploadFileAttributesParentField(id=folder.id)
        ),
        io.BytesIO(SMALL),
    )
    with RevokedMeanwhile(path, control) as file:
        size = Path(path).stat().st_size
        large = client.chunked_uploads.upload_big_file(
            file, "large.bin", size, folder.id
        )
    items = client.folders.get_folder_items(folder.id)
    stream = client.downloads.download_file(large.id)
    content = stream.read() if stream else b""
    seen = {
        "login": me.login,
        "revoked": file.revoked,
        "items": sorted(item.name for item in items.entries),
        "small": small.entries[0].sha_1 == hashlib.sha1(SMALL).hexdigest(),
        "large": hashlib.sha256(content).hexdigest(),
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
