"""Which profile serves a request, among those that its rule allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.verdict import Pass, Refuse

if TYPE_CHECKING:
    from everbearer.policy.rules import Rule, RuleSet
    from everbearer.policy.view import RequestView

_NO_PROFILE: Final = "none"
_SHOWN: Final = 40  # characters of what a client asked for


def profile(view: RequestView, rule: Rule, rules: RuleSet) -> str | Pass | Refuse:
    """
    Return the profile: the listener's, else the one asked for, else the default.

    A client may always ask for none; what else it asks must be one name, known,
    allowed by the rule, and that of the listener if that has one.
    """
    asked = {value.strip() for value in view.profile_fields}
    bound = view.listener.profile
    if len(asked) > 1:
        return _refuse(
            400,
            "profile_ambiguous",
            "the request has several Everbearer-Profile fields that differ",
            rule,
        )
    name = asked.pop() if asked else ""
    if name == _NO_PROFILE:
        return Pass("profile_none", "the request asks for no credential", rule.label)
    if view.profile_fields and name not in rules.profiles:
        return _refuse(
            400,
            "profile_unknown",
            f"Everbearer-Profile: {_shown(name)} names no profile",
            rule,
        )
    if bound and name and name != bound:
        return _refuse(
            403,
            "profile_contradiction",
            f"the listener is bound to profile {bound} and the request asks for {name}",
            rule,
        )
    return _allowed(bound or name, rule, rules)


def _allowed(name: str, rule: Rule, rules: RuleSet) -> str | Refuse:
    if name:
        if name in rule.profiles:
            return name
        return _refuse(
            403,
            "profile_not_allowed",
            f"profile {name} may not serve this request",
            rule,
        )
    if rules.default_profile in rule.profiles:
        return rules.default_profile
    if len(rule.profiles) == 1:
        return rule.profiles[0]
    return _refuse(
        400,
        "profile_ambiguous",
        "several profiles could serve this request and none is the default",
        rule,
    )


def _shown(name: str) -> str:
    """Return the client's text in quotes, short and without control characters."""
    return ascii(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")


def _refuse(status: int, code: str, reason: str, rule: Rule) -> Refuse:
    names = ", ".join((*rule.profiles, _NO_PROFILE))
    return Refuse(
        status,
        code,
        reason,
        f"send Everbearer-Profile with one of: {names}",
        rule.label,
    )
