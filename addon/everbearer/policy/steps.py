"""A decision that was made, step by step, for people who ask why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import join_authority
from everbearer.policy.view import Existing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.policy.view import RequestView


class Stage(Enum):
    """The steps of `decide`, in their order, and what comes after it."""

    USER = "who asks"
    FRAMING = "can it be forwarded"
    DESTINATION = "where it goes"
    RULE = "which rule"
    PAGE = "is it a web page's"
    PROFILE = "which profile"
    CREDENTIAL = "its own credential"
    AFTERWARDS = "afterwards"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was found, and whether the decision ended there."""

    stage: Stage
    words: str
    last: bool = False


_ENDS: Final[Mapping[Stage, tuple[str, ...]]] = {
    Stage.USER: (
        *("user_required", "user_malformed", "user_wrong", "user_gone"),
        *("loopback_only", "users_waiting"),
    ),
    Stage.FRAMING: ("invalid_field", "trailers", "length_required"),
    Stage.DESTINATION: (
        *("proxy_is_no_server", "unmatched", "unmatched_refused", "missing_host"),
        *("invalid_host", "misdirected", "insecure_scheme", "upstream_unverified"),
        "wrong_port",
    ),
    Stage.RULE: (
        *("several_authorizations", "invalid_path", "refused_by_rule"),
        *("passed_by_rule", "ambiguous_path", "no_rule"),
    ),
    Stage.PAGE: ("cors_preflight", "browser", "browser_request"),
    Stage.PROFILE: (
        *("profile_none", "profile_ambiguous", "profile_unknown"),
        *("profile_contradiction", "profile_not_of_user", "profile_not_allowed"),
    ),
    Stage.CREDENTIAL: (
        *("missing", "empty", "placeholder", "redacted", "ours"),
        *("client_token", "replaced", "healed"),
        *("redacted_token", "trace", "as_user_conflict"),
    ),
}
"""By stage: the codes of the verdicts that end there."""

_END_OF: Final = {code: stage for stage, codes in _ENDS.items() for code in codes}

_EXISTING: Final[Mapping[Existing, str]] = {
    Existing.NONE: "none was sent",
    Existing.EMPTY: "an empty one was sent",
    Existing.PLACEHOLDER: "an unresolved placeholder was sent",
    Existing.REDACTED: "a redaction mark of ours was sent",
    Existing.OURS: "a token was sent that we issued",
    Existing.FOREIGN: "a token of the client's own was sent",
    Existing.SEVERAL: "several were sent",
}


def steps(
    view: RequestView, *, code: str, reason: str, rule: str, profile: str
) -> tuple[Step, ...]:
    """
    Return the steps of the decision about *view* that ended with *code*.

    The others are those of the verdict, or of the refusal that came after it: that
    is a step by itself. Total and pure.
    """
    end = _END_OF.get(code, Stage.AFTERWARDS)
    if code == "invalid_path" and view.control_characters:
        end = Stage.FRAMING
    found = {
        Stage.USER: _user(view),
        Stage.FRAMING: "yes, its framing is sound",
        Stage.DESTINATION: _destination(view),
        Stage.RULE: f"rule {rule} is for {view.method} of this path"
        if rule
        else "none",
        Stage.PAGE: _page(view),
        Stage.PROFILE: f"{profile}, {_chosen(view)}" if profile else "none",
        Stage.CREDENTIAL: _EXISTING[view.authorization.kind],
    }
    stages = list(Stage)
    before = stages[: stages.index(end)]
    return (*(Step(each, found[each]) for each in before), Step(end, reason, last=True))


def _user(view: RequestView) -> str:
    if view.user is None:
        return "anybody on this machine"
    return f"proxy user {view.user.name}" if view.user.name else "the proxy's own user"


def _destination(view: RequestView) -> str:
    there = join_authority(view.host, view.port)
    checked = f", its certificate checked for {view.verified_name}"
    return f"{view.scheme}://{there}" + (checked if view.verified_name else "")


def _page(view: RequestView) -> str:
    if view.origins:
        return f"yes, of the trusted origin {', '.join(view.origins)}"
    return "no"


def _chosen(view: RequestView) -> str:
    if view.listener.profile:
        return f"to which the listener {view.listener.address} is bound"
    if view.profile_fields:
        return "which the request asks for by Everbearer-Profile"
    return "the default, or the only one that may serve it"
