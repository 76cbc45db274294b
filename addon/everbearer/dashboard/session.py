"""
Who may look and act: whoever opened a one-time link that this user's command made.

A link's ticket and a session's cookie are numbers and a MAC over them: what can be
proven needs no memory, and survives a worker that is replaced. Only used tickets
are remembered, until their time is over.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from everbearer.secret import Secret

TICKET_LIFE: Final = 60.0
"""Seconds between the command and the browser."""

SESSION_LIFE: Final = 12 * 3600.0
"""Seconds; then the command is run again."""

KEY_BYTES: Final = 32
"""Of each key: as long as its MAC (RFC 2104 §3)."""

NONCE_BYTES: Final = 18

_AHEAD: Final = 1.0
"""Seconds by which a ticket may seem to be made in the future (clocks are set)."""

_FORM: Final = re.compile(r"([0-9]{1,15})\.([A-Za-z0-9_-]{24})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Keys:
    """
    What one running instance proves things with: made with it, and gone with it.

    Of the two only `ticket` is ever written down, for the command to read.
    """

    ticket: Secret
    session: Secret


def make_ticket(key: Secret, now: float, nonce: bytes) -> Secret:
    """Return what the command puts into a link; *nonce* is NONCE_BYTES of chance."""
    return _sealed(key, "ticket", now, nonce)


class Sessions:
    """
    Takes tickets, once each, and knows its own cookies again.

    *begun* is when this process began, in seconds since the epoch, as all times
    here: what was used before that is not known any more, so it takes no ticket
    that is older.
    """

    def __init__(self, keys: Keys, begun: float) -> None:
        self._keys = keys
        self._begun = begun
        self._used: dict[str, float] = {}

    def enter(self, ticket: str, now: float, nonce: bytes) -> Secret | None:
        """Return the cookie that *ticket* is worth; None where it is worth nothing."""
        found = self._good(ticket, now)
        if found is None:
            return None
        made, name = found
        self._forget(now)
        self._used[name] = made
        return _sealed(self._keys.session, "session", now, nonce)

    def takes(self, ticket: str, now: float) -> bool:
        """Tell whether *ticket* is worth a cookie now; it is not used by that."""
        return self._good(ticket, now) is not None

    def knows(self, cookie: str, now: float) -> bool:
        """Tell whether *cookie* is one that `enter` returned, not too long ago."""
        found = _opened(self._keys.session, "session", cookie)
        if found is None:
            return False
        return found[0] - _AHEAD <= now <= found[0] + SESSION_LIFE

    def _good(self, ticket: str, now: float) -> tuple[float, str] | None:
        """Return the moment and the name of a ticket that is good."""
        found = _opened(self._keys.ticket, "ticket", ticket)
        if found is None:
            return None
        made, name = found
        too_old = made < self._begun or now - made > TICKET_LIFE
        return None if too_old or made > now + _AHEAD or name in self._used else found

    def _forget(self, now: float) -> None:
        for name, made in list(self._used.items()):
            if now - made > TICKET_LIFE + _AHEAD:
                del self._used[name]


def _sealed(key: Secret, purpose: str, now: float, nonce: bytes) -> Secret:
    # Milliseconds: what was made before this process began is older than that.
    said = f"{math.ceil(now * 1000)}.{_text(nonce)}"
    return Secret(f"{said}.{_mac(key, purpose, said)}")


def _opened(key: Secret, purpose: str, text: str) -> tuple[float, str] | None:
    """Return the moment and the nonce of what `_sealed` made with that key."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    expected = _mac(key, purpose, f"{found[1]}.{found[2]}")
    if not hmac.compare_digest(expected.encode(), found[3].encode()):
        return None
    return int(found[1]) / 1000, found[2]


def _mac(key: Secret, purpose: str, said: str) -> str:
    message = f"everbearer {purpose} {said}".encode()
    return _text(hmac.digest(key.reveal().encode(), message, hashlib.sha256))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
