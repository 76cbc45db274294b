"""
The one decision: what happens to a request.

Each step returns a verdict that ends the decision, or what the next one needs.
There is no default: what reaches the end has passed every step on the way to an
`Inject`, and everything that cannot be told apart is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.policy import browser, choice, credential, framing, names, users
from everbearer.policy.paths import readings
from everbearer.policy.rules import Action
from everbearer.policy.verdict import Pass, Refuse

if TYPE_CHECKING:
    from everbearer.policy.rules import Rule, RuleSet
    from everbearer.policy.verdict import Verdict
    from everbearer.policy.view import RequestView

_EXCHANGES: Final = ("/oauth2/token", "/oauth2/revoke")
"""Where clients send secrets, on a wrong host or under a wrong prefix too."""


def decide(view: RequestView, rules: RuleSet) -> Verdict:
    """
    Say what happens to a request; pure, and never raises.

    An `Inject` means: the verified destination is https on port 443 of a host
    that the verdict's rule names, every name in the request agrees with it, all
    readings of the path lead to that rule, no untrusted web page is involved,
    who asks is a user where there are any, and the profile is one of the rule's
    and, if he has some, of the user's.
    """
    verdict = _decide(view, rules)
    if isinstance(verdict, Refuse) and _may_be_capability(view, rules):
        return replace(verdict, capability=True)
    return verdict


def _decide(view: RequestView, rules: RuleSet) -> Verdict:
    host = (
        users.unfit(view, rules)
        or framing.refusal(view)
        or names.destination(view, rules)
    )
    if not isinstance(host, str):
        return host
    rule = credential.several(view) or _rule(view, rules.for_host(host))
    if isinstance(rule, Pass | Refuse):
        return rule
    page = browser.verdict(view, rule, rules)
    if page:
        return page
    profile = choice.profile(view, rule, rules)
    if not isinstance(profile, str):
        return profile
    return credential.verdict(view, rule, rules, profile)


def _rule(view: RequestView, candidates: tuple[Rule, ...]) -> Rule | Pass | Refuse:
    """
    Return the injecting rule that every reading of the path leads to.

    One reading that leads to a rule which refuses or passes is enough for that:
    a server may have just this reading.
    """
    try:
        paths = readings(view.path)
    except ValueError:
        paths = ()
    if not paths or (paths == ("*",) and view.method != "OPTIONS"):
        return Refuse(
            400,
            "invalid_path",
            "the path is not legal, or holds escapes that servers read differently",
            "send a plain path, which starts with / and escapes UTF-8",
        )
    found = [_first(candidates, view.method, path) for path in paths]
    for rule in found:
        if rule is not None and rule.action is Action.REFUSE:
            return Refuse(
                403,
                "refused_by_rule",
                f"rule {rule.label} refuses this request",
                "change the rule, or ask for something else",
                rule.label,
            )
    for rule in found:
        if rule is not None and rule.action is Action.PASS:
            private = any(other is not None and other.private for other in found)
            capability = any(other is not None and other.capability for other in found)
            reason = f"rule {rule.label} lets this request pass without a token"
            return Pass(
                "passed_by_rule",
                reason,
                rule.label,
                private=private,
                capability=capability,
            )
    first = found[0]
    if any(other is not first for other in found):
        return Refuse(
            400,
            "ambiguous_path",
            "servers may read the path in ways that different rules apply to",
            "send the path without escapes, dot segments and empty segments",
        )
    if first is None:
        return Pass(
            "no_rule",
            "the host has rules, and none is for this request",
            private=any(path.casefold().endswith(_EXCHANGES) for path in paths),
        )
    return first


def _may_be_capability(view: RequestView, rules: RuleSet) -> bool:
    """
    Tell whether the path of a refused request may be a credential.

    Its host and method count for nothing: they may be why it was refused.
    """
    try:
        paths = readings(view.path)
    except ValueError:
        paths = (view.path,)
    return any(
        pattern.matches_any_case(path)
        for rule in rules.rules
        if rule.capability
        for pattern in rule.paths
        for path in paths
    )


def _first(candidates: tuple[Rule, ...], method: str, path: str) -> Rule | None:
    return next((rule for rule in candidates if rule.matches(method, path)), None)
