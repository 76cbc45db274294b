"""Logins that were begun on the page: one at a time for each profile."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from everbearer.errors import EverbearerError
from everbearer.login.listener import DEFAULT_REDIRECT, Listener
from everbearer.login.outcome import LOGGED_IN, not_logged_in, refusal_of
from everbearer.oauth.authorization import Denied, Login
from everbearer.secret import Secret
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.oauth.authorization import Code
    from everbearer.settings.model import Profile

_PATIENCE: Final = 600.0
"""Seconds for which the answer is waited for."""


class Logins:
    """Sends browsers to where a person consents, and takes what they bring back."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._tasks = Tasks()
        self._urls: dict[str, str] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    async def begin(self, profile: Profile) -> str:
        """
        Return where the browser goes; of a login that waits already its address.

        Raises ConfigError where the browser could not come back, StoreError where
        what comes could not be kept.
        """
        if (url := self._urls.get(profile.name)) is not None:
            return url
        assert profile.grant is not None
        await self._broker.consent(profile.name).check()
        listener = Listener(profile.endpoints.redirect_uri or DEFAULT_REDIRECT)
        login = Login(
            client_id=profile.grant.client_id,
            authorize_url=profile.endpoints.authorize_url,
            redirect_uri=listener.redirect_uri,
            state=Secret(secrets.token_urlsafe(32)),
            verifier=Secret(secrets.token_urlsafe(64)),
        )
        listener.start(login, lambda _: None)
        self._urls[profile.name] = login.url()
        task = self._tasks.spawn(
            self._finish(profile.name, listener, login), name="log in"
        )
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return login.url()

    async def stop(self) -> None:
        """Let go of the ports; codes that came are exchanged first."""
        for task in self._waiting:
            task.cancel()
        await self._tasks.drain()

    async def _exchange(
        self, name: str, login: Login, code: Code
    ) -> EverbearerError | None:
        try:
            await self._broker.consent(name).log_in(login, code, lambda: None)
        except EverbearerError as error:
            return error
        return None

    async def _finish(self, name: str, listener: Listener, login: Login) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await listener.answer()
            # From here on another one may begin: this has its answer.
            self._urls.pop(name, None)
            try:
                if isinstance(answer, Denied):
                    raise refusal_of(answer, name)
                # Kept and shielded: what the code brings is saved, whoever stops.
                exchange = self._exchange(name, login, answer)
                kept = self._broker.keep(exchange, f"the login of {name}")
                if error := await asyncio.shield(kept):
                    raise error
            except EverbearerError as error:
                hint = self._broker.standing.in_full(error.hint)
                listener.conclude(not_logged_in(error, hint))
                return
            listener.conclude(LOGGED_IN)
        except TimeoutError:
            pass  # nobody came back
        finally:
            self._urls.pop(name, None)
            await listener.stop()
