"""What may happen to a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pass:
    """
    The request goes out as the client sent it.

    `code` is the reason for programs, `reason` the same for people.
    `heal` names the profile whose token replaces the client's own if that is
    answered 401. `private` marks exchanges whose bodies hold tokens (token and
    revoke requests of clients): they are streamed and never kept. `capability`
    marks paths that are a credential: they are told by `paths.masked` only.
    """

    code: str
    reason: str
    rule: str = ""
    heal: str | None = None
    private: bool = False
    capability: bool = False


@dataclass(frozen=True, slots=True)
class Inject:
    """The request goes out with a token of `profile`, which `rule` allows."""

    profile: str
    code: str
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """
    The request does not go out.

    `status` is the HTTP status the client sees, `hint` what to do next;
    `capability` is that of Pass.
    """

    status: int
    code: str
    reason: str
    hint: str
    rule: str = ""
    profile: str = ""
    capability: bool = False


type Verdict = Pass | Inject | Refuse
