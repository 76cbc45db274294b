"""Which profile serves a request, among those that its rule allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.verdict import Pass, Refuse

if TYPE_CHECKING:
    from everbearer.policy.rules import Rule, RuleSet
    from everbearer.policy.view import RequestView, UserView

NO_DEFAULT: Final = "several profiles could serve this request and none is the default"
"""Why a request is refused that asks for no profile."""

_NO_PROFILE: Final = "none"
_SHOWN: Final = 40  # characters of what a client asked for


def profile(view: RequestView, rule: Rule, rules: RuleSet) -> str | Pass | Refuse:
    """
    Return the listener's profile, else the user's, the one asked for, the default.

    A client may always ask for none; what else it asks must be one name, known,
    allowed by the rule, that of the listener if that has one, and one of the
    user's if he has some.
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
    return _of_user(view.user, bound or name, rule) or _allowed(
        bound or name, rule, rules, _left(view.user, rule)
    )


def _left(user: UserView | None, rule: Rule) -> tuple[str, ...]:
    """Return those of the rule's profiles that the user may use."""
    if user is None or not user.profiles:
        return rule.profiles
    return tuple(name for name in rule.profiles if name in user.profiles)


def _of_user(user: UserView | None, name: str, rule: Rule) -> Refuse | None:
    """Refuse where the user may not use what is asked for, or any of the rule's."""
    if user is None or not user.profiles or name in user.profiles:
        return None
    if not name and _left(user, rule):
        return None
    what = f"profile {name}" if name else "any profile that may serve this request"
    own = ", ".join((*user.profiles, _NO_PROFILE))
    return Refuse(
        403,
        "profile_not_of_user",
        f"proxy user {user.name} may not use {what}",
        f"ask for what this user may use: {own}",
        rule.label,
    )


def _allowed(
    name: str, rule: Rule, rules: RuleSet, left: tuple[str, ...]
) -> str | Refuse:
    if name:
        if name in rule.profiles:
            return name
        return _refuse(
            403,
            "profile_not_allowed",
            f"profile {name} may not serve this request",
            rule,
        )
    if rules.default_profile in left:
        return rules.default_profile
    if len(left) == 1:
        return left[0]
    return _refuse(
        400,
        "profile_ambiguous",
        NO_DEFAULT,
        rule,
        left,
    )


def _shown(name: str) -> str:
    """Return the client's text in quotes, short and without control characters."""
    return ascii(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")


def _refuse(
    status: int, code: str, reason: str, rule: Rule, left: tuple[str, ...] = ()
) -> Refuse:
    names = ", ".join((*(left or rule.profiles), _NO_PROFILE))
    return Refuse(
        status,
        code,
        reason,
        f"send Everbearer-Profile with one of: {names}",
        rule.label,
    )
