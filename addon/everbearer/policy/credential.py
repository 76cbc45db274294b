"""Whether a token of ours goes with a request that may have its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.rules import ExistingPolicy
from everbearer.policy.verdict import Inject, Pass, Refuse
from everbearer.policy.view import Existing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.policy.rules import Rule, RuleSet
    from everbearer.policy.verdict import Verdict
    from everbearer.policy.view import RequestView

_NOTHING: Final = frozenset({Existing.NONE, Existing.EMPTY})

_TOKENS: Final = frozenset({Existing.FOREIGN, Existing.OURS})

_INJECTED: Final[Mapping[Existing, tuple[str, str]]] = {
    Existing.NONE: ("missing", "the request has no credential"),
    Existing.EMPTY: ("empty", "the request's credential is empty"),
    Existing.PLACEHOLDER: ("placeholder", "the request has an unresolved placeholder"),
    Existing.REDACTED: ("redacted", "the request has a redaction mark of ours"),
    Existing.OURS: ("ours", "the request has a token that we issued"),
}


def verdict(view: RequestView, rule: Rule, rules: RuleSet, profile: str) -> Verdict:
    """Return the verdict for a request that *profile* may serve."""
    kind = view.authorization.kind
    kept = rule.existing is ExistingPolicy.KEEP and kind not in _NOTHING
    if kept or view.query_token or _is_anothers(view, profile):
        return _client_has_one(view, rule, rules, profile)
    return _inject(view, rule, rules, profile, _INJECTED[kind])


def _client_has_one(
    view: RequestView, rule: Rule, rules: RuleSet, profile: str
) -> Verdict:
    heal = None
    policy = rule.existing
    if policy is ExistingPolicy.FILL and _is_of_our_grant(view, profile):
        policy = ExistingPolicy.HEAL
    match policy:
        case ExistingPolicy.REPLACE:
            why = ("replaced", "the client's own token is replaced")
            return _inject(view, rule, rules, profile, why)
        case ExistingPolicy.KEEP if view.authorization.kind is Existing.REDACTED:
            return _redacted(rule, profile)
        case ExistingPolicy.HEAL if not _acts_alike(view, rules, profile):
            pass
        case ExistingPolicy.HEAL if profile in view.authorization.rejected_for:
            why = ("healed", "the client's own token was rejected before")
            return _inject(view, rule, rules, profile, why)
        case ExistingPolicy.HEAL:
            unfit = _unfit(view, rule, rules, profile)
            heal = None if unfit else profile
    reason = "the client's own token is respected"
    return Pass("client_token", reason, rule.label, heal)


def _acts_alike(view: RequestView, rules: RuleSet, profile: str) -> bool:
    """
    Tell whether As-User is the same with the client's token and with ours.

    Without it the client's acts as the token's owner: then healing would have
    the request act as somebody else.
    """
    configured = rules.as_user.get(profile, "")
    sent = tuple(value.strip() for value in view.as_user)
    return not configured or sent == (configured,)


def _is_anothers(view: RequestView, profile: str) -> bool:
    """Tell whether the request has a token that is not for *profile*."""
    sent = view.authorization
    # One for another profile of ours may act as another user.
    ours = sent.kind is Existing.OURS and profile in sent.issued_for
    return sent.kind in _TOKENS and not ours


def _is_of_our_grant(view: RequestView, profile: str) -> bool:
    """
    Tell whether the client got its token by the refresh token of *profile*.

    It is as good as ours while it lives, and acts as the same user unless
    As-User says otherwise: ours may take its place.
    """
    return not view.query_token and profile in view.authorization.issued_for


def several(view: RequestView) -> Refuse | None:
    """Refuse two or more Authorization fields: servers differ in which they take."""
    if view.authorization.kind is not Existing.SEVERAL:
        return None
    return Refuse(
        400,
        "several_authorizations",
        "the request has several Authorization fields",
        "send one Authorization field, or none",
    )


def _inject(
    view: RequestView,
    rule: Rule,
    rules: RuleSet,
    profile: str,
    why: tuple[str, str],
) -> Inject | Refuse:
    unfit = _unfit(view, rule, rules, profile)
    return unfit or Inject(profile, *why, rule.label)


def _unfit(
    view: RequestView, rule: Rule, rules: RuleSet, profile: str
) -> Refuse | None:
    """Return why the request cannot have a token of ours, None when it can."""
    if view.method.upper() == "TRACE":
        # RFC 9110 §9.3.8: its answer is the request as the server received it.
        return Refuse(
            405,
            "trace",
            "the answer to a TRACE would hold the token",
            "use another method, or send Everbearer-Profile: none",
            rule.label,
            profile,
        )
    return _as_user_conflict(view, rule, rules, profile)


def _as_user_conflict(
    view: RequestView, rule: Rule, rules: RuleSet, profile: str
) -> Refuse | None:
    configured = rules.as_user.get(profile, "")
    if not configured or all(value.strip() == configured for value in view.as_user):
        return None
    return Refuse(
        403,
        "as_user_conflict",
        f"profile {profile} acts as another user than the As-User of the request",
        "leave As-User out, or ask for another profile with Everbearer-Profile",
        rule.label,
        profile,
    )


def _redacted(rule: Rule, profile: str) -> Refuse:
    return Refuse(
        400,
        "redacted_token",
        "the request has a redaction mark of ours where its token was, and the rule "
        "keeps what the client sends",
        "send a token, or none; or set existing_authorization to fill",
        rule.label,
        profile,
    )
