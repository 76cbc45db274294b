"""
How a request is authorised, as a contract.

A scheme is pure: the shell shows it the request's head (and, where it asks for
it, the digest of the body), it answers with the changes to make; the shell
shows it the head of the answer, it says what that means. The answer to a request
that was sent again is shown to it as well: a request is sent again once after a
`Renew` and once after an `Again`, in either order, and then the answer is the
client's whatever it says.

What was learned is kept for the profile and the destination (host and port), the
newest only, while the proxy runs: every later `prepare` for them gets it, of the
request that is sent again first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.oauth.tokens import AccessToken
    from everbearer.policy.view import RequestView
    from everbearer.secret import Secret


class Need(Flag):
    """What a scheme must know before it can prepare a request."""

    HEAD = auto()
    BODY_DIGEST = auto()
    """
    The digest of the whole body: SHA-256, hexadecimal, in lower case.

    Nothing of such a request leaves before all of its body is there.
    """


@dataclass(frozen=True, slots=True)
class Credential:
    """A token of a profile, ready to be used; `as_user` goes with it."""

    profile: str
    token: AccessToken
    as_user: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What to do to the request before it leaves.

    First every field and query part that the scheme owns is removed, then
    `fields` are set. Names are lower case.
    """

    fields: tuple[tuple[str, Secret | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer: field names lower case, values in order."""

    status: int
    fields: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Accept:
    """The answer is the client's."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The credential is dead: renew it and send the request once more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Send once more with what the server told (a nonce, a challenge)."""

    learned: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The answer is the client's although the credential was refused."""

    reason: str


type Outcome = Accept | Renew | Again | GiveBack


class Scheme(Protocol):
    """One way to authorise requests."""

    name: ClassVar[str]
    needs: ClassVar[Need]
    fields: ClassVar[frozenset[str]]  # owned: removed from the client's, redacted
    query: ClassVar[frozenset[str]]  # same, of the query

    def prepare(
        self,
        view: RequestView,
        credential: Credential,
        body_digest: str | None,
        learned: str | None,
        now: float,
        nonce: str,
    ) -> Changes:
        """
        Say what makes the request carry the credential.

        *body_digest* is None unless the scheme needs it, *learned* None until
        the server told something; *now* is in seconds since the epoch, *nonce*
        random text, another one each time.
        """

    def answered(self, view: RequestView, answer: Answer, changes: Changes) -> Outcome:
        """Say what an answer to that request means."""
