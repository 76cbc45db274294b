"""The parts of a query, however a client has spelt them."""

from __future__ import annotations

from urllib.parse import unquote


def name_of(part: str) -> str:
    """Return the name of one part, percent-decoded; a plus stays what it is."""
    return unquote(part.partition("=")[0])


def has_query_token(query: str) -> bool:
    """Tell whether the query carries `access_token` (RFC 6750 §2.3), however spelt."""
    return any(name_of(part) == "access_token" for part in query.split("&"))
