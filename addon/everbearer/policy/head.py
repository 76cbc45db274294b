"""What a request's head says that a decision looks at, whoever read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypedDict

from everbearer.policy.query import has_query_token

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILE_FIELD: Final = "everbearer-profile"
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


class Head(TypedDict):
    """The fields of a RequestView that follow from the head alone."""

    method: str
    path: str
    control_characters: bool
    query_token: bool
    profile_fields: tuple[str, ...]
    origins: tuple[str, ...]
    sec_fetch_site: tuple[str, ...]
    cors_preflight: bool
    trailers: bool
    as_user: tuple[str, ...]


def read_head(
    method: str,
    target: str,
    authority: str,
    values: Callable[[str], tuple[str, ...]],
) -> Head:
    """
    Return what the head says.

    *target* is the raw path and query, *authority* what the request line or
    `:authority` names, "" for nothing; *values* returns all values of a field,
    asked by its name in lower case.
    """
    path, _, query = target.partition("?")
    origins = values("origin")
    return {
        "method": method,
        "path": path,
        "control_characters": bool(_CONTROL.search(method + target + authority)),
        "query_token": bool(query) and has_query_token(query),
        "profile_fields": values(PROFILE_FIELD),
        "origins": origins,
        "sec_fetch_site": values("sec-fetch-site"),
        "cors_preflight": bool(
            method == "OPTIONS" and origins and values("access-control-request-method")
        ),
        "trailers": bool(values("trailer")),
        "as_user": values("as-user"),
    }
