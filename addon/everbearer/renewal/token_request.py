"""Asking the token endpoint: one question, at most two attempts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from everbearer.oauth.grants.contract import Moment
from everbearer.oauth.token_response import parse_token_response, rejection
from everbearer.oauth.tokens import AccessToken

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Grant
    from everbearer.renewal.clock import Clock
    from everbearer.renewal.exchange import Exchange, Send
    from everbearer.secret import Secret
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Record

_NONCE_BYTES: Final = 24
"""32 characters of base64url; Box wants 16 to 128 in a `jti`."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token response as of its request; `at` is seconds since the epoch."""

    token: AccessToken
    at: float
    refresh_token: Secret | None

    def rotated_in(self, record: Record) -> Record:
        """Return *record* with the redeem ended and the refresh token that came."""
        record = replace(record, intent=None, earlier_refresh_tokens=())
        if self.refresh_token is None or self.refresh_token == record.refresh_token:
            return record
        return replace(
            record,
            refresh_token=self.refresh_token,
            refresh_issued_at=self.at,
        )

    def saved_in(self, record: Record) -> Record:
        """Return *record* with all that came, and no trouble."""
        return replace(
            self.rotated_in(record),
            access_token=self.token.value,
            issued_at=self.at,
            expires_at=self.at + self.token.life,
            trouble=None,
        )


def issued_by(
    exchange: Exchange, profile: Profile, wall: float, *, needs_refresh_token: bool
) -> Issued:
    """Return what the answer issues; raises one of the four GrantErrors."""
    response = parse_token_response(
        exchange.answer,
        default_expires_in=profile.default_expires_in,
        needs_refresh_token=needs_refresh_token,
        now=wall,
    )
    end = exchange.sent_at + response.expires_in
    token = AccessToken(response.access_token, exchange.sent_at, end)
    return Issued(token, exchange.sent_wall, response.refresh_token)


class TokenRequests:
    """
    The token requests of one grant.

    Remembers how far the authorization server's clock is from ours; that is
    used for assertions and nothing else.
    """

    def __init__(
        self, profile: Profile, grant: Grant, endpoint: Send, clock: Clock
    ) -> None:
        self._profile = profile
        self._grant = grant
        self._endpoint = endpoint
        self._clock = clock
        self._ahead: float | None = None  # server's epoch time - our monotonic time

    async def ask(self, refresh_token: Secret | None) -> Issued:
        """
        Return a new token; raises one of the four GrantErrors.

        A refusal that a better clock or another nonce mends is answered by
        exactly one more attempt.
        """
        exchange = await self._attempt(refresh_token)
        refused = rejection(exchange.answer)
        if refused is not None and self._grant.correctable(refused):
            exchange = await self._attempt(refresh_token)
        return issued_by(
            exchange,
            self._profile,
            self._clock.wall(),
            needs_refresh_token=self._grant.rotates,
        )

    async def _attempt(self, refresh_token: Secret | None) -> Exchange:
        form = self._grant.token_request(refresh_token, self._moment())
        exchange = await self._endpoint(self._profile.token_url, form)
        if exchange.server_date is not None:
            self._ahead = exchange.server_date - exchange.received_at
        return exchange

    def _moment(self) -> Moment:
        # Measured against the monotonic clock: correcting ours while we run
        # must not spoil what was learnt.
        if self._ahead is None:
            server_time = self._clock.wall()
        else:
            server_time = self._clock.now() + self._ahead
        return Moment(server_time, secrets.token_urlsafe(_NONCE_BYTES))
