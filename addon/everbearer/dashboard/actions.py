"""What a person can have done from the page: renew, revoke, log in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from everbearer.dashboard.logging_in import Logins
from everbearer.dashboard.profiles import can
from everbearer.errors import EverbearerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.broker import Broker
    from everbearer.settings.model import Profile

type Done = dict[str, Any]
"""What the page is told: `ok`, `words`, and `hint` or `url`."""

_MINUTE: Final = 60.0


class Actions:
    """Does what the page asks for, by the broker; an answer has no secret in it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._logins = Logins(broker)
        self._by_name: dict[str, Callable[[Profile], Awaitable[Done]]] = {
            "renew": self._renew,
            "revoke": self._revoke,
            "login": self._login,
        }

    async def do(self, name: str, action: str) -> Done | None:
        """Do *action* for the profile *name*; None where there is no such thing."""
        settings = self._broker.settings
        profile = settings.profiles.get(name)
        if profile is None or action not in self._by_name:
            return None
        if not can(profile)[action]:
            return _failed(f"{name}: {_CANNOT[action]}", "")
        # Shielded: who closes the page does not break off what has begun.
        done = self._done(profile, self._by_name[action])
        return await asyncio.shield(self._broker.keep(done, f"{_NOUNS[action]} {name}"))

    async def stop(self) -> None:
        """End the logins that wait for an answer."""
        await self._logins.stop()

    async def _done(
        self, profile: Profile, act: Callable[[Profile], Awaitable[Done]]
    ) -> Done:
        try:
            return await act(profile)
        except EverbearerError as error:
            hint = self._broker.standing.in_full(error.hint)
            return _failed(f"{profile.name}: {error.message}", hint)

    async def _renew(self, profile: Profile) -> Done:
        token = await self._broker.manager(profile.name).renew()
        minutes = round((token.expires_at - self._broker.clock.now()) / _MINUTE)
        return {"ok": True, "words": f"renewed, good for {minutes} min"}

    async def _revoke(self, profile: Profile) -> Done:
        consent = self._broker.consent(profile.name)
        outcome = await consent.log_out(lambda: None, ask=True)
        if not outcome.known:
            return {"ok": True, "words": "there was nothing to revoke"}
        words = (
            "the tokens are revoked and deleted"
            if outcome.revoked
            else "the server had ended the tokens before; they are deleted"
        )
        if profile.grant is not None and not profile.grant.rotates:
            words += "; the next request obtains a new one"
        return {"ok": True, "words": words}

    async def _login(self, profile: Profile) -> Done:
        url = await self._logins.begin(profile)
        return {
            "ok": True,
            "url": url,
            "words": "log in and grant access there; what comes of it is shown here",
        }


_NOUNS: Final = {
    "renew": "the renewal of",
    "revoke": "the revocation of",
    "login": "the login of",
}
"""What people are told of where the end of it is waited for."""

_CANNOT: Final = {
    "renew": "a developer token cannot be renewed",
    "revoke": "there is no server known that revokes its tokens",
    "login": "it is not logged in from here",
}


def _failed(words: str, hint: str) -> Done:
    return {"ok": False, "words": words, "hint": hint}
