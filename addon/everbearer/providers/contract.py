"""What a preset tells of a provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class Who:
    """
    How to ask whom a token acts for: a GET of `url`.

    `read` returns the answer's person in a few words, "" where it names none;
    the words are the server's.
    """

    url: str
    read: Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Preset:
    """
    Endpoints, hosts, exclusions and quirks of one provider.

    `authorize_url` and `revoke_url` are "" where nobody can log in or out.
    `exclusions` come before every rule of the user; `injecting` are the rules
    of profiles that no rule of the user names (their `profiles` are filled in).
    `refresh_token_life` is in seconds, None where unused ones do not end.
    `secret_fields` and `secret_parameters` (of queries and forms) hold what clients
    send besides tokens and nobody may keep; names in lower case.
    """

    name: str
    token_url: str
    exclusions: tuple[Rule, ...]
    injecting: tuple[Rule, ...]
    default_expires_in: float
    refresh_token_life: float | None = None
    scheme: str = "bearer"
    authorize_url: str = ""
    revoke_url: str = ""
    who: Who | None = None
    secret_fields: frozenset[str] = frozenset()
    secret_parameters: frozenset[str] = frozenset()
