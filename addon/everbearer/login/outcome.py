"""What came of a login: the last page, and the error where there is no consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.errors import ReauthorizationRequired
from everbearer.login.page import Page

if TYPE_CHECKING:
    from everbearer.errors import EverbearerError
    from everbearer.oauth.authorization import Denied

LOGGED_IN: Final = Page(
    "You are logged in",
    "everbearer has the tokens and renews them. You can close this page.",
    good=True,
)


def not_logged_in(error: EverbearerError, hint: str) -> Page:
    """Return the page that says why; *hint* is the error's, ready to be pasted."""
    said = error.message.rstrip(".")
    then = f" What to do: {hint}." if hint else ""
    text = f"{said[:1].upper()}{said[1:]}.{then} You can close this page."
    return Page("You are not logged in", text)


def refusal_of(denied: Denied, profile: str) -> ReauthorizationRequired:
    """Return the error of an answer that grants nothing."""
    why = f": {denied.description}" if denied.description else ""
    return ReauthorizationRequired(
        f"the authorization server says {denied.error}{why}",
        hint=f"run: everbearer login {profile}, and grant access",
    )
