"""What of a server's answer may be told to strangers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from everbearer.oauth.challenge import parse
from everbearer.oauth.server_text import shown

if TYPE_CHECKING:
    from everbearer.renewal.wire import Heard

_TOLD_FIELDS: Final = (
    "content-type",
    "transfer-encoding",
    "connection",
    "retry-after",
)
_TOLD_MEMBERS: Final = (
    "type",
    "status",
    "code",
    "message",
    "error",
    "error_description",
)
"""Of an error's body; all else is told by its name alone."""

_ADDRESS: Final = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+){3}|\d{4,}")
_NAME: Final = re.compile(r"[a-z_]{1,40}")
_SUCCESS: Final = range(200, 300)


def masked(text: str) -> str:
    """Return a server's text without mail addresses, ids and what may be a secret."""
    return _NUMBERS.sub("#", _ADDRESS.sub("[masked]", shown(text)))


def told(heard: Heard | None) -> dict[str, Any]:
    """Return the shape of an answer: nothing in it is somebody's."""
    if heard is None:
        return {"answer": "none"}
    return {
        "status": heard.status,
        "challenges": _challenges(heard.fields.get("www-authenticate", "")),
        "fields": {
            name: masked(heard.fields[name])
            for name in _TOLD_FIELDS
            if name in heard.fields
        },
        "body": _body(heard),
    }


def _challenges(value: str) -> list[dict[str, str]]:
    return [
        {"scheme": masked(each.scheme)}
        | {masked(name): masked(text) for name, text in each.params.items()}
        for each in parse([value])
    ]


def _body(heard: Heard) -> dict[str, Any]:
    success = heard.status in _SUCCESS
    # How long somebody's data is, is theirs.
    length: dict[str, Any] = {} if success else {"bytes": len(heard.body)}
    try:
        document = json.loads(heard.body)
    except (ValueError, RecursionError):
        return length
    if not isinstance(document, dict):
        return length | {"json": type(document).__name__}
    names = sorted(name if _NAME.fullmatch(name) else "[masked]" for name in document)
    if success:
        return length | {"members": names}
    values = {
        name: masked(str(document[name])) for name in _TOLD_MEMBERS if name in document
    }
    return length | {"members": names, "values": values}
