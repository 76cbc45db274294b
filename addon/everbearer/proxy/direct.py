"""Clients that take the explicit proxy for a server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from mitmproxy.connection import Client

# RFC 9112 §3: a request line begins with a token (RFC 9110 §5.6.2) and one space.
# §3.2: a proxy is asked in absolute form, or for a tunnel; `/` begins origin form.
_ORIGIN_FORM: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ /")
_BEGINNING: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} ?\Z")


class Direct:
    """
    Remembers the clients whose first request is in origin form.

    mitmproxy completes such a request by its Host field, and forgets that it did.
    """

    def __init__(self) -> None:
        self._clients: WeakSet[Client] = WeakSet()

    def see(self, client: Client, data: bytes) -> bool:
        """Judge by the first bytes of *client*; False where they are too few."""
        if _BEGINNING.match(data):
            return False
        if _ORIGIN_FORM.match(data):
            self._clients.add(client)
        return True

    def __contains__(self, client: Client) -> bool:
        """Tell whether *client* asked so."""
        return client in self._clients
