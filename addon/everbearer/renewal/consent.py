"""
What a person gives and takes back: the login of one profile.

Both are done under the grant's lock, and what came or went is in the store before
anybody is told.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from everbearer.errors import ConfigError, GrantError, Problem, StoreError
from everbearer.oauth.grants.refresh_token import LOGGED_OUT
from everbearer.oauth.revocation import revocation_request, revoked
from everbearer.renewal.asking import told
from everbearer.renewal.copies import same_tokens
from everbearer.renewal.held import Held
from everbearer.renewal.renewal import LOCK_PATIENCE
from everbearer.renewal.rescuing import Rescuing
from everbearer.renewal.saving import Saving
from everbearer.renewal.telling import Telling
from everbearer.renewal.token_request import issued_by
from everbearer.stores.contract import Intent, Record, Trouble, TroubleKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from everbearer.events import Publish
    from everbearer.oauth.authorization import Code, Login
    from everbearer.oauth.grants.contract import Grant
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.endpoint import TokenEndpoint
    from everbearer.renewal.token_request import Issued
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Store

CODE_PATIENCE: Final = 10.0
"""Seconds that a login waits for the grant: Box's codes are good for 30 s."""

_MOMENT: Final = 1.0
"""Seconds after which a person wants to know what is waited for."""

_NAME_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """What became of a logout: whether there was a grant, and had it ended before."""

    known: bool
    revoked: bool = False


class Consent:
    """The login and logout of one profile, whose grant is its configuration's."""

    def __init__(
        self,
        profile: Profile,
        *,
        store: Store,
        endpoint: TokenEndpoint,
        clock: Clock,
        publish: Publish,
    ) -> None:
        if profile.grant is None:
            raise ConfigError(
                Problem(
                    f"profiles.{profile.name}",
                    "a developer token is neither logged in nor out here",
                    "make or revoke it in the provider's developer console",
                )
            )
        self._profile = profile
        self._grant: Grant = profile.grant
        self._store = store
        self._endpoint = endpoint
        self._clock = clock
        self._telling = Telling(profile.name, clock, publish)
        self._send = told(endpoint, self._telling)
        self._saving = Saving(profile.key, store, clock, self._telling)
        self._rescuing = Rescuing(self._grant.seed, Held(), self._saving)

    async def check(self) -> None:
        """Raise StoreError where what comes of a login could not be kept."""
        await self._store.load(self._profile.key)

    async def log_in(
        self, login: Login, code: Code, waiting: Callable[[], None]
    ) -> AccessToken:
        """
        Exchange *code* and save what comes, in place of what there was.

        The grant is held before the code is spent; *waiting* is called where
        another process holds it for more than a moment. Raises GrantError where
        there is no token; StoreError only before anything was asked for. A save
        that fails is tried until it succeeds, and told.
        """
        begun = self._clock.now()
        async with self._holding(CODE_PATIENCE, waiting, "login"):
            record = await self._store.load(self._profile.key) or Record()
            form = login.token_request(code, self._grant.client_secret)
            exchange = await self._send(self._profile.token_url, form)
            issued = issued_by(
                exchange, self._profile, self._clock.wall(), needs_refresh_token=True
            )
            await self._replace(record, issued)
        self._telling.renewed(issued.token, "login", begun)
        return issued.token

    async def log_out(self, waiting: Callable[[], None], *, ask: bool) -> LoggedOut:
        """
        Revoke the grant's tokens (RFC 7009) and delete them.

        Nothing is deleted where the server does not say that they are gone; with
        *ask* false it is not asked. *waiting* is that of a login. Raises GrantError,
        StoreError, and ConfigError where nobody knows whom to ask.
        """
        async with self._holding(LOCK_PATIENCE, waiting, "logout"):
            record = await self._store.load(self._profile.key)
            record = await self._rescuing.take_in(record) or Record()
            token = record.refresh_token or record.access_token or self._grant.seed
            if not token or (self._is_out(record) and not record.refresh_token):
                return LoggedOut(known=False)
            was_good = False
            if ask:
                form = revocation_request(self._grant, token)
                exchange = await self._send(self._revoke_url(), form)
                was_good = revoked(exchange.answer, self._clock.wall())
            await self._store.save(self._profile.key, self._emptied(record))
            await self._saving.forget(lambda _: True)
        self._telling.logged_out(revoked=was_good)
        return LoggedOut(known=True, revoked=was_good)

    async def who(self, token: AccessToken) -> str:
        """Return whom *token* acts for in the server's words, "" where unknown."""
        who = self._profile.endpoints.who
        if who is None:
            return ""
        try:
            answer = await self._endpoint.ask(who.url, token.value)
        except GrantError:
            return ""
        if answer.status != HTTPStatus.OK:
            return ""
        return who.read(answer.body)[:_NAME_LIMIT]

    # -- inside -------------------------------------------------------------

    @asynccontextmanager
    async def _holding(
        self, patience: float, waiting: Callable[[], None], command: str
    ) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            told = asyncio.get_running_loop().call_later(_MOMENT, waiting)
            try:
                async with asyncio.timeout(patience):
                    lock = self._store.exclusive(self._profile.key)
                    await stack.enter_async_context(lock)
            except TimeoutError:
                raise StoreError(
                    f"another process has held the grant for {patience:.0f} s: it is"
                    " renewing it, or cannot save what it has renewed",
                    hint="see what the proxy that runs says, or stop it; then run:"
                    f" everbearer {command} {self._profile.name}",
                ) from None
            finally:
                told.cancel()
            yield

    async def _replace(self, record: Record, issued: Issued) -> None:
        """Save the pair by the holder of the lock, whoever else saves meanwhile."""
        while True:
            old = record.refresh_token or self._grant.seed
            intent = Intent(self._clock.wall(), old.fingerprint() if old else "")
            new = issued.saved_in(record)
            stored = await self._saving.persist(
                replace(record, intent=intent), new, lambda _: None
            )
            if same_tokens(stored, new):
                # Copies of the chain before this one are of no use to anybody.
                await self._saving.forget(lambda _: True)
                return
            record = stored

    def _revoke_url(self) -> str:
        url = self._profile.endpoints.revoke_url
        if not url:
            raise ConfigError(
                Problem(
                    f"profiles.{self._profile.name}.revoke_url",
                    "is missing, and token_url is not the provider's own",
                    "write it, or run with --forget: everbearer logout"
                    f" {self._profile.name} --forget",
                )
            )
        return url

    def _is_out(self, record: Record) -> bool:
        trouble = record.trouble
        return trouble is not None and trouble.message == LOGGED_OUT

    def _emptied(self, record: Record) -> Record:
        """Return the record without tokens; a dead seed must not be redeemed again."""
        wall = self._clock.wall()
        trouble = Trouble(
            TroubleKind.REAUTHORIZE,
            LOGGED_OUT,
            since=wall,
            attempts=1,
            not_before=0.0,
            grant=self._grant.fingerprint,
        )
        return Record(
            version=record.version, trouble=trouble if self._grant.rotates else None
        )
