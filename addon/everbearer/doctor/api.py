"""Whether the provider's API takes a profile's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everbearer.doctor.result import Result, failed, ok, skip, warn
from everbearer.errors import GrantError
from everbearer.oauth.challenge import bearer_error
from everbearer.policy.rules import Action

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.oauth.token_response import TokenAnswer
    from everbearer.renewal.endpoint import TokenEndpoint
    from everbearer.schemes.contract import Credential
    from everbearer.settings.model import Settings

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_SUCCESS: Final = range(200, 300)


def may_have_token(settings: Settings, profile: str, host: str) -> bool:
    """Tell whether a rule gives the token of *profile* to *host*."""
    return any(
        rule.action is Action.INJECT
        and profile in rule.profiles
        and any(pattern.matches(host) for pattern in rule.hosts)
        for rule in settings.rules
    )


async def accepted(broker: Broker, endpoint: TokenEndpoint, name: str) -> Result:
    """
    Ask who the profile *name* is, as a request through the proxy would.

    A token that is refused is renewed once. Raises GrantError, StoreError.
    """
    what = f"API as {name}"
    who = broker.settings.profiles[name].endpoints.who
    if who is None:
        return skip(what, "its token_url is not the provider's own: no API is asked")
    host = urlsplit(who.url).hostname or ""
    if not may_have_token(broker.settings, name, host):
        return skip(what, f"no rule gives this token to {host}")

    async def ask(credential: Credential) -> TokenAnswer:
        token = credential.token.value
        return await endpoint.ask(who.url, token, as_user=credential.as_user)

    credential = await broker.credential(name)
    answer, renewed = await ask(credential), ""
    if answer.status == _UNAUTHORIZED and broker.can_renew(name):
        answer = await ask(await broker.recover(name, credential.token.fingerprint))
        renewed = ", after a renewal: the one before was refused"
    return judge(name, host, answer, renewed, renewable=broker.can_renew(name))


def judge(
    name: str, host: str, answer: TokenAnswer, renewed: str, *, renewable: bool
) -> Result:
    """Judge what the API at *host* answered, by its status alone."""
    what = f"API as {name}"
    if answer.status in _SUCCESS:
        return ok(what, f"{host} takes the token{renewed}")
    if answer.status == _UNAUTHORIZED and not renewable:
        error = GrantError(
            "the developer token is refused: it lives an hour, and is never renewed",
            hint=f"make a new one in Box's developer console, and put it where"
            f" profiles.{name}.access_token points",
        )
        return failed(what, error)[0]
    if answer.status == _UNAUTHORIZED:
        error = GrantError(
            f"{host} refuses a new token, too",
            hint="look at the app in Box's developer console: it may lack a scope, or"
            " wait for an administrator's authorization",
        )
        return failed(what, error)[0]
    if answer.status == _FORBIDDEN:
        reason = bearer_error([answer.fields.get("www-authenticate", "")])
        scope = reason == "insufficient_scope"
        return warn(
            what,
            f"{host} answers 403{': insufficient_scope' if scope else ''}",
            "look at the app's scopes in Box's developer console, and at as_user",
        )
    return warn(what, f"{host} answers {answer.status}", "try again later")
