"""
Web pages are not tools.

Any page that a browser on this machine opens can send requests to a proxy or a
listener of this machine. None of them gets a credential, unless its origin is
trusted by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.policy.verdict import Pass, Refuse
from everbearer.policy.view import Existing

if TYPE_CHECKING:
    from everbearer.policy.rules import Rule, RuleSet
    from everbearer.policy.view import RequestView


def verdict(view: RequestView, rule: Rule, rules: RuleSet) -> Pass | Refuse | None:
    """Return what becomes of a web page's request, None for one to go on with."""
    page = bool(view.origins) or any(site != "none" for site in view.sec_fetch_site)
    trusted = bool(view.origins) and all(
        _is_trusted(origin, rules) for origin in view.origins
    )
    explicit = not view.listener.reverse
    if view.cors_preflight and (explicit or trusted):
        return Pass(
            "cors_preflight", "a CORS preflight carries no credential", rule.label
        )
    if trusted or not (page or view.cors_preflight):
        return None
    if explicit and (view.query_token or view.authorization.kind is Existing.FOREIGN):
        return Pass("browser", "a web page's request keeps its own token", rule.label)
    return Refuse(
        403,
        "browser_request",
        "the request comes from a web page of an origin that is not trusted",
        "name the page's origin in browser_origins, or use a tool that is no browser",
        rule.label,
    )


def _is_trusted(origin: str, rules: RuleSet) -> bool:
    # "null" is the origin of every sandboxed frame and local file: of anybody.
    return origin != "null" and origin.lower() in rules.browser_origins
