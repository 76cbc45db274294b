"""Text that a server chose, made fit to be shown to people."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_UNSHOWN: Final = re.compile(r"[^\x20-\x7E]")
# As long as the shortest secrets in use; ordinary words are shorter.
_OPAQUE: Final = re.compile(r"[^ ]{20,}")
_MAX_SHOWN: Final = 200
_HOST: Final = re.compile(r"[a-z0-9.-]{1,253}")


def shown(text: str) -> str:
    """
    Return one line of printable ASCII, at most 200 characters and an ellipsis.

    Runs of 20 characters and more without a space could be an echoed secret and
    are masked.
    """
    # Nothing but a space separates runs: a character that cannot be seen must not
    # cut a secret into pieces that are too short to be masked.
    line = _OPAQUE.sub("[masked]", _UNSHOWN.sub("?", text))
    return line if len(line) <= _MAX_SHOWN else line[:_MAX_SHOWN] + "..."


def origin_of(url: str) -> str:
    """Return scheme, host and port of an http(s) URL, "" where it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return ""
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
