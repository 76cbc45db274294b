"""
What every store promises.

A record is saved durably before `save` returns, encrypted and authenticated
where it leaves the process, and never overwritten by a writer that has not seen
it. `exclusive` is held by one holder among all processes that share the store
and dies with its holder. What cannot be saved has a second way to the disk, its
emergency copy, until it can.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from everbearer.errors import StoreError
    from everbearer.secret import Secret


@dataclass(frozen=True, slots=True)
class GrantKey:
    """
    Whose record it is: a grant's, not a name's.

    `identity` is the subject, the seed's fingerprint, or for a login the
    profile's name; `dialled` is where `connect_to` leads the token endpoint,
    "" where nowhere, so that a sandbox's record is never a real one's.
    """

    token_url: str
    client_id: str
    grant: str
    identity: str
    dialled: str = ""

    @property
    def text(self) -> str:
        """A canonical text."""
        return json.dumps(
            [self.token_url, self.client_id, self.grant, self.identity, self.dialled],
            ensure_ascii=True,
            separators=(",", ":"),
        )

    @property
    def digest(self) -> str:
        """A name in tables and of files, authenticated with the record."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class TroubleKind(Enum):
    """What stands in the way of the next token request."""

    REAUTHORIZE = "reauthorize"  # a person must act; the endpoint is not asked
    CONFIGURATION = "configuration"  # same, until the configuration changes
    UNAVAILABLE = "unavailable"  # asked again at `not_before`
    MALFORMED = "malformed"  # same


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    A failure that all processes of the store shall know.

    Times are seconds since the epoch. `grant` is the fingerprint of the
    configuration that failed: with another one a last word is void. `wait` is the
    length of the pause in seconds, which holds whatever the wall clocks say.
    """

    kind: TroubleKind
    message: str
    since: float
    attempts: int
    not_before: float
    grant: str
    hint: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Intent:
    """A redeem that began and is not known to have ended (a crash, a lost answer)."""

    at: float
    refresh_fingerprint: str


@dataclass(frozen=True, slots=True)
class Record:
    """
    What is known of a grant.

    `version` is that of the stored record (0: never saved). Times are wall
    clock, seconds since the epoch. `earlier_refresh_tokens` are there while
    `refresh_token` is not proven, since it came in a malformed response: should
    that be refused each is tried once, the last first; the first was proven.
    """

    version: int = 0
    access_token: Secret | None = None
    issued_at: float = 0.0
    expires_at: float = 0.0
    refresh_token: Secret | None = None
    refresh_issued_at: float = 0.0
    intent: Intent | None = None
    trouble: Trouble | None = None
    earlier_refresh_tokens: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """
    An emergency copy.

    `record` is as it was to be saved, but with the intent of the redeem that
    brought it and the version it was made from; `where` names its place to people.
    """

    record: Record
    where: str


@dataclass(frozen=True, slots=True)
class Rescued:
    """
    The emergency copies of one grant.

    `copies` are those that can be read, the newest first. `unreadable` tells of
    those that do not authenticate or that others could have read.
    """

    copies: tuple[Copy, ...] = ()
    unreadable: tuple[StoreError, ...] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """One record that was looked into: its grant's digest, and what is wrong."""

    digest: str
    flaw: StoreError | None


class Store(Protocol):
    """Records by grant. Every method raises StoreError when the store fails."""

    async def load(self, key: GrantKey) -> Record | None:
        """Return the record, None where there is none."""

    async def save(self, key: GrantKey, record: Record, *, beyond: int = 0) -> Record:
        """
        Save durably and return the record with its new version.

        That is above the stored one and above *beyond*. Raises StoreConflict
        unless `record.version` is the stored one.
        """

    def exclusive(self, key: GrantKey) -> AbstractAsyncContextManager[None]:
        """
        Hold the grant alone among all processes; waits, never times out.

        The task that entered is the holder.
        """

    async def generation(self) -> int:
        """Return a number that differs within a second of any process's save; cheap."""

    async def examine(self) -> tuple[Examined, ...]:
        """Open every record, and change none."""

    async def rescue(self, key: GrantKey, record: Record) -> str:
        """
        Write an emergency copy, durably, and return its place.

        For a record that could not be saved. It is sealed as the record would be,
        and replaces a copy with the same refresh token, never another one.
        """

    async def rescued(self, key: GrantKey) -> Rescued:
        """Return the emergency copies, whoever wrote them."""

    async def forget_rescued(
        self, key: GrantKey, forgettable: Callable[[Record], bool]
    ) -> None:
        """Remove the emergency copies that can be read and are *forgettable*."""

    async def close(self) -> None:
        """Free what is held; the store is not used afterwards."""
