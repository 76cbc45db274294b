"""Connections on which nothing is let out any more."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from everbearer.proxy.refusal import Refusal

if TYPE_CHECKING:
    from mitmproxy.connection import Client


class Poison:
    """
    Remembers client connections whose set-up failed in a hook of ours.

    mitmproxy goes on where a hook fails: what was meant to lead a connection to
    the sandbox would lead it to the real server. Every request on it is refused.
    """

    def __init__(self) -> None:
        self._reasons: WeakKeyDictionary[Client, Refusal] = WeakKeyDictionary()

    def add(self, client: Client, what: str) -> None:
        """Refuse every request of *client* from now on."""
        self._reasons[client] = Refusal(
            500,
            "internal_error",
            f"everbearer failed while {what}; nothing leaves by this connection",
            "see the log of everbearer, and connect anew",
        )

    def reason(self, client: Client) -> Refusal | None:
        """Return why nothing leaves by this connection; None when all is well."""
        return self._reasons.get(client)
