"""
What one process knows of the troubles of its grant.

The store's times are those of whichever machine's wall clock. So a pause is as long
as its failure made it, from the moment at which this process made the trouble or
first saw it; and a last word to this configuration is not forgotten because another
one's trouble took its place in the record.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from everbearer.oauth.token_response import MAX_RETRY_AFTER
from everbearer.renewal.trouble import Failure, failure_of, needs_person
from everbearer.stores.contract import Record

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Grant
    from everbearer.renewal.clock import Clock
    from everbearer.secret import Secret
    from everbearer.stores.contract import Trouble

type _Chain = tuple[Secret | None, float]


class KnownTrouble:
    """Judges what stands in the record of one grant, for one configuration of it."""

    def __init__(self, profile: str, grant: Grant, clock: Clock) -> None:
        self._profile = profile
        self._grant = grant
        self._clock = clock
        self._newest: Trouble | None = None
        self._end = -math.inf  # of its pause, on the monotonic clock
        self._looked = -math.inf
        self._last_word: tuple[Trouble, _Chain] | None = None

    def made(self, trouble: Trouble, record: Record) -> None:
        """Note what has just become of a token request made from *record*."""
        self._looked = self._clock.now()
        self._newest, self._end = trouble, self._looked + trouble.wait
        self._last_word = (trouble, _chain(record)) if needs_person(trouble) else None

    def forget_looks(self) -> None:
        """Judge what is seen next as at the first look, by the wall clock."""
        self._looked = -math.inf

    def failure(self, record: Record | None) -> Failure | None:
        """Return why no token request is sent; None: it may be tried."""
        record = record or Record()
        trouble = record.trouble
        wait = self._pause(trouble) if trouble is not None else 0.0
        self._looked = self._clock.now()
        if trouble is None or trouble.grant != self._grant.fingerprint:
            trouble = self._said_last(record) or trouble
        if trouble is None:
            return None
        return failure_of(trouble, self._grant, self._profile, wait)

    def _pause(self, trouble: Trouble) -> float:
        """Return the seconds that are left of the pause."""
        now = self._clock.now()
        if trouble != self._newest:
            left = trouble.not_before - self._clock.wall()
            if left > trouble.wait + MAX_RETRY_AFTER and math.isinf(self._looked):
                # A clock that was set back so far would keep whoever is started
                # for one token from asking until it has caught up.
                left = 0.0
            # It was made since the last look, and not after this one.
            least, most = self._looked + trouble.wait, now + trouble.wait
            self._newest, self._end = trouble, min(max(now + left, least), most)
        return self._end - now

    def _said_last(self, record: Record) -> Trouble | None:
        """Return the last word to this configuration, while nothing has come since."""
        if self._last_word is None or self._last_word[1] != _chain(record):
            return None
        return self._last_word[0]


def _chain(record: Record) -> _Chain:
    return record.refresh_token, record.issued_at
