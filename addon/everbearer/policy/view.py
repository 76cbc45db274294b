"""What a decision may look at: one frozen view of a request, without any token."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from everbearer.policy.hosts import join_authority


class Existing(Enum):
    """What the client put where the scheme's credential belongs."""

    NONE = "none"
    EMPTY = "empty"
    PLACEHOLDER = "placeholder"  # an unresolved variable: {{access_token}}, $TOKEN
    REDACTED = "redacted"  # our own mark, replayed from a saved flow
    OURS = "ours"  # a token that we issued
    FOREIGN = "foreign"  # the client's own credential
    SEVERAL = "several"  # two or more fields: none of them goes out


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    The client's own credential, as far as a decision needs to know it.

    `rejected_for` are the profiles for which this very token of this very
    client was answered 401 before (known where it is healed), `issued_for` those
    of whose grant it is: handed out by us, or got by a client's own redeem.
    """

    kind: Existing = Existing.NONE
    fingerprint: str = ""
    rejected_for: frozenset[str] = frozenset()
    issued_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UserView:
    """A verified proxy user; `profiles` are those that he may use, () for all."""

    name: str
    profiles: tuple[str, ...] = ()


OWNER: Final = UserView("")
"""Who works the proxy's own interface: no client, and asked for no password."""


@dataclass(frozen=True, slots=True)
class ListenerView:
    """
    The listener that took the request.

    `reverse` is the host that a reverse listener stands for, "" for the
    explicit proxy; `own_authorities` are the `host:port` texts by which
    clients address the listener itself, lower case.
    """

    address: str = ""
    reverse: str = ""
    profile: str = ""
    own_authorities: frozenset[str] = frozenset()

    @classmethod
    def at(cls, host: str, port: int, reverse: str, profile: str) -> ListenerView:
        """Return the view of a listener at an IP address without brackets."""
        address = join_authority(host, port)
        own = frozenset({address, f"localhost:{port}"})
        return cls(address, reverse, profile, own)


@dataclass(frozen=True, slots=True)
class RequestView:
    """
    One request, as the network layers really will send it; raw, not normalised.

    `host` and `port` are the destination that is dialled (before `connect_to`),
    `verified_name` the name that its certificate is checked against, "" where
    none is. `authorities` holds every Host field and `:authority` as sent.
    `body_length` is 0 for no body and None for an unknown length.
    """

    scheme: str
    host: str
    port: int
    verified_name: str
    method: str
    path: str  # raw, without the query
    authorities: tuple[str, ...] = ()
    sni: str | None = None
    connect_name: str | None = None
    upstream_verified: bool = True
    http2: bool = False
    server_http2: bool = False  # the server connection already speaks HTTP/2
    listener: ListenerView = field(default_factory=ListenerView)
    user: UserView | None = None
    direct: bool = False  # sent to the explicit proxy as to a server
    profile_fields: tuple[str, ...] = ()  # values of Everbearer-Profile
    origins: tuple[str, ...] = ()
    sec_fetch_site: tuple[str, ...] = ()
    cors_preflight: bool = False
    body_length: int | None = 0
    trailers: bool = False
    control_characters: bool = False  # in the method, the target or the authority
    broken_fields: bool = False  # a line break or NUL in a field
    authorization: Authorization = field(default_factory=Authorization)
    query_token: bool = False
    as_user: tuple[str, ...] = ()  # values of As-User
