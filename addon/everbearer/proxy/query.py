"""The parts of a query, however a client has spelt them."""

from __future__ import annotations

from urllib.parse import unquote


def name_of(part: str) -> str:
    """Return the name of one part, percent-decoded; a plus stays what it is."""
    return unquote(part.partition("=")[0])
