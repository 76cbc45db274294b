"""
What happened, as frozen values handed to subscribers.

The request line, `status`, and whatever else watches are subscribers and
nothing else. No event holds a token, a query or a body, and a path that is a
credential is masked; of what a client sent it holds no more than policy.told
lets. Times are seconds since the epoch, durations seconds. A subscriber must not
raise and must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView


@dataclass(frozen=True, slots=True)
class Exchanged:
    """
    A request has ended that a rule matched or that was refused; or a CONNECT was.

    `verdict` is "inject", "pass" or "refuse", `code` its reason for programs;
    `status` is what the client got, 0 for a connection closed without one.
    `replayed` tells that the answer is that of a replay; `note` is a word for
    people about what else happened, or why the request was refused. `probe` tells
    that it asked to be refused, as everbearer's own questions do.

    A CONNECT has no path; a connection that was cut off before any request counts as
    one, and its `status` is 0. `port` is the one asked for.

    `id` names the request among those of its proxy. `reason` says why it was so
    decided and `hint` what to do about a refusal. Where a 401 came, `rejected` is
    the fingerprint of the token that it was for and `challenge` what it asked for,
    in words. `view` is what was decided about. `prepared` is the part of `duration`
    before it was ready to leave, 0 for one that was not, or waited for its body.
    """

    at: float
    method: str
    host: str
    path: str
    status: int
    profile: str
    verdict: str
    code: str
    duration: float
    rule: str = ""
    replayed: bool = False
    token: str = ""  # fingerprint
    client: str = ""  # address
    note: str = ""
    user: str = ""  # a verified proxy user's name
    probe: bool = False
    id: str = ""
    reason: str = ""
    hint: str = ""
    rejected: str = ""  # fingerprint
    challenge: str = ""
    spooled: int = 0  # bytes of its body that a spool kept
    prepared: float = 0.0
    view: RequestView | None = None
    port: int = 0

    @property
    def where(self) -> str:
        """Return where to, as a person is told."""
        if self.method != "CONNECT":
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UserRefused:
    """
    Somebody was not let in; `client` is his address.

    Without the name that he said: it may be a password, typed too soon.
    """

    at: float
    client: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """
    A request was sent once more after a 401; `id` is that of its Exchanged.

    `learned` tells that it was for what the server had told, not for a new token.
    """

    at: float
    profile: str
    method: str
    host: str
    path: str
    status: int
    duration: float
    learned: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class TokenRequested:
    """
    The authorization server was asked, for tokens or to take one back.

    `at` is when it was asked, `url` whom. `form`, `fields` and `answer` are what
    was said, with marks where secrets were (oauth.shown); `answer` is "" where it
    is not JSON. `status` is 0 and `code` that of errors.py where no answer came
    that could be read.
    """

    at: float
    profile: str
    url: str
    form: tuple[tuple[str, str], ...]
    status: int
    fields: tuple[tuple[str, str], ...]
    answer: str
    code: str
    duration: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """
    A new access token is in the store; fingerprints tell them apart.

    `shared` tells that another process had renewed and no request was sent.
    """

    at: float
    profile: str
    # "first", "stale", "expired", "rejected", "timer", "asked", "unused", "login"
    cause: str
    token: str
    expires_at: float
    duration: float
    shared: bool = False


@dataclass(frozen=True, slots=True)
class RenewalFailed:
    """No new token; `code` is that of errors.py; `retry_at` 0 when nobody retries."""

    at: float
    profile: str
    cause: str
    code: str
    message: str
    hint: str
    retry_at: float = 0.0


@dataclass(frozen=True, slots=True)
class TokensDeleted:
    """The profile's tokens were deleted; `revoked` tells that the server did so too."""

    at: float
    profile: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class GrantEnding:
    """Nobody can renew the grant after `ends_at`; `hint` is what to do."""

    at: float
    profile: str
    ends_at: float
    hint: str


@dataclass(frozen=True, slots=True)
class ClientRedeemed:
    """
    A client redeemed a refresh token of the profile's by itself, past us.

    `outcome` is "saved" (the chain of refresh tokens goes on), "lost" (what came
    is not known to us, the chain may be broken) or "old" (a refresh token that
    was replaced before).
    """

    at: float
    profile: str
    outcome: str
    message: str
    hint: str = ""
    token: str = ""  # fingerprint
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """
    A new token could not be saved; saving is tried again until it succeeds.

    The old one is served meanwhile. `rescued` tells where the emergency copy of
    the new one lies, "" without one: then it is lost if the process ends.
    Published when this begins and whenever it changes.
    """

    at: float
    profile: str
    message: str
    hint: str
    rescued: str


@dataclass(frozen=True, slots=True)
class EmergencyCopy:
    """What became of an emergency copy; `hint` is set where a person must act."""

    at: float
    profile: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DefaultChosen:
    """A person made `profile` the default, until another is or the proxy ends."""

    at: float
    profile: str


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """A reload: `problems` is empty when the new one is in force."""

    at: float
    source: str
    problems: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditLinesLost:
    """
    The audit log cannot be written: `count` lines more than were told of are lost.

    Published when this begins, and of all others when it has ended or the log does.
    """

    at: float
    count: int


type Event = (
    Exchanged
    | UserRefused
    | Replayed
    | TokenRequested
    | Renewed
    | RenewalFailed
    | ClientRedeemed
    | TokensDeleted
    | GrantEnding
    | SaveFailed
    | EmergencyCopy
    | DefaultChosen
    | ConfigurationChanged
    | AuditLinesLost
)
type Subscriber = Callable[[Event], None]
type Publish = Callable[[Event], None]
