"""
What may be told of a request: no query, no credential, and not much.

Clients choose how long their words are. Whoever is told keeps them, in memory or in
a file that others are to read: one request must not push the others out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from everbearer.policy.paths import masked

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView

PATH: Final = 512
METHOD: Final = 32
WHY: Final = 512
HOST: Final = 255
"""Characters that are told of each; RFC 1035 §2.3.4 has no longer names."""

_OTHERS: Final = 2048
"""Characters of all other words together that are told as they are."""

_EACH: Final = 128
_FIRST: Final = 8
"""Where there are more: so much of each, and so many values of a field."""

_CUT: Final = "…"

# A query that a client escaped by mistake, once or more often, is one nevertheless;
# a fragment too is no server's business (RFC 3986 §3.5), and may hold a token.
_QUERY: Final = re.compile(r"[?#]|%(?:25)*(?:3F|23)", re.IGNORECASE)


def told(view: RequestView, *, capability: bool) -> RequestView:
    """
    Return *view* as others may have it; mostly that is the same.

    *capability* tells that the path is itself a credential.
    """
    path = masked(view.path) if capability else _path(view.path)
    if (
        path is view.path
        and len(view.method) <= METHOD
        and len(view.host) <= HOST
        and _length(view) <= _OTHERS
    ):
        return view
    return replace(
        view,
        path=path,
        method=cut(view.method, METHOD),
        host=cut(view.host, HOST),
        verified_name=cut(view.verified_name, _EACH),
        sni=view.sni and cut(view.sni, _EACH),
        connect_name=view.connect_name and cut(view.connect_name, _EACH),
        authorities=_first(view.authorities),
        profile_fields=_first(view.profile_fields),
        origins=_first(view.origins),
        sec_fetch_site=_first(view.sec_fetch_site),
        as_user=_first(view.as_user),
    )


def cut(text: str, most: int) -> str:
    """Return the beginning of *text*, with a mark where it went on."""
    return text if len(text) <= most else f"{text[: most - 1]}{_CUT}"


def _path(path: str) -> str:
    if "%" in path or "#" in path or "?" in path:
        query = _QUERY.search(path)
        if query is not None:
            path = f"{path[: query.start()]}{_CUT}"
    return cut(path, PATH)


def _first(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([cut(text, _EACH) for text in texts[:_FIRST]])


def _length(view: RequestView) -> int:
    words = view.verified_name, view.sni, view.connect_name
    length = sum([len(text) for text in words if text])
    for texts in _fields(view):
        if texts:
            length += sum(map(len, texts))
    return length


_fields: Final = attrgetter(
    *("authorities", "profile_fields", "origins", "sec_fetch_site", "as_user")
)
