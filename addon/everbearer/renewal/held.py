"""The access token in memory, and those that are known to be dead."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.oauth.freshness import expired_at, stale_at
from everbearer.oauth.tokens import AccessToken
from everbearer.recent import Recent

if TYPE_CHECKING:
    from everbearer.stores.contract import Record

_GRAVES: Final = 256
"""How many dead tokens are remembered: a day and more of hourly ones, all revoked."""


class Held:
    """
    One token at a time, never one whose death was noted.

    `stale_at` and `expired_at` are those of the token, so that serving it is
    two comparisons. `spare` is one that is in an emergency copy and not in the
    store: it takes the token's place when that is at its end or dead.
    """

    __slots__ = ("_dead", "expired_at", "spare", "stale_at", "token")

    def __init__(self) -> None:
        self.token: AccessToken | None = None
        self.spare: AccessToken | None = None
        self.stale_at = math.inf
        self.expired_at = -math.inf
        self._dead = Recent[str, None](_GRAVES)

    @property
    def fingerprint(self) -> str:
        """The token's fingerprint, "" without one."""
        return self.token.fingerprint if self.token else ""

    def serving(self, now: float) -> AccessToken | None:
        """Return the token unless it is EXPIRED."""
        if now < self.expired_at:
            return self.token
        return None if self.spare is None else self._replaced(now)

    def alive(self, now: float) -> AccessToken | None:
        """Return the token until its true end."""
        token = self.token
        if token is not None and now < token.expires_at:
            return token
        return None if self.spare is None else self._replaced(now)

    def usable(self, token: AccessToken, now: float) -> bool:
        """Tell whether another's token is worth holding: not EXPIRED, not dead."""
        return now < expired_at(token) and not self.is_dead(token.fingerprint)

    def adopt(self, token: AccessToken, now: float) -> bool:
        """
        Hold *token* from now on; tell whether that is another one.

        A dead one is refused. One that is held and alive keeps the times it
        has: they come from the monotonic clock and not by way of the store.
        """
        if self.is_dead(token.fingerprint):
            return False
        if self.spare is not None and self.spare.fingerprint == token.fingerprint:
            self.spare = None  # held, it is no other one
        if token.fingerprint == self.fingerprint and self.alive(now):
            return False
        self.token = token
        self.stale_at = stale_at(token)
        self.expired_at = expired_at(token)
        if self.spare is not None and self.spare.expires_at <= token.expires_at:
            self.spare = None
        return True

    def bury(self, fingerprint: str) -> None:
        """Note that the server refuses the token: it is never served again."""
        self._dead[fingerprint] = None
        if fingerprint == self.fingerprint:
            self.token = None
            self.expired_at = -math.inf
        if self.spare is not None and fingerprint == self.spare.fingerprint:
            self.spare = None

    def _replaced(self, now: float) -> AccessToken | None:
        """Hold the spare token once the other is at its end."""
        spare = self.spare
        if spare is None or (self.token is not None and now < self.token.expires_at):
            return None
        self.spare = None
        if not self.usable(spare, now):
            return None
        self.adopt(spare, now)
        return spare

    def is_dead(self, fingerprint: str) -> bool:
        """Tell whether the server has refused the token."""
        return fingerprint in self._dead


def without_dead(record: Record, held: Held) -> Record:
    """
    Return *record* without an access token that is known to be dead.

    Nobody who reads the store, a restarted process least of all, shall send what
    the server has refused.
    """
    token = record.access_token
    if token is None or not held.is_dead(token.fingerprint()):
        return record
    return replace(record, access_token=None)


def token_of(record: Record | None, now: float, wall: float) -> AccessToken | None:
    """
    Return the record's token with its life on the monotonic clock.

    The wall clock may have jumped since the record was saved: nothing lives
    longer from now than it lived from its issue.
    """
    if record is None or record.access_token is None:
        return None
    life = record.expires_at - record.issued_at
    left = min(record.expires_at - wall, life)
    return AccessToken(record.access_token, now - (life - left), now + left)
