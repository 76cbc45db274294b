"""
An authorization server that keeps Box's rules, as a callable transport.

A refresh token redeemed twice gives the same pair until the new access token is
used; its first use (or that of the new refresh token) retires the pair before. A
strict one keeps RFC 9700 §4.14.2: a refresh token is spent when it is redeemed, and
its reuse ends the grant.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING

from everbearer.errors import TokenEndpointUnavailable
from everbearer.oauth.date import parse_http_date
from everbearer.oauth.token_response import TokenAnswer
from everbearer.renewal.exchange import Exchange
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.oauth.grants.contract import Form
    from renewal.virtual_time import FakeClock

SEED = "refresh-0"
ABSENT = object()
"""For `expires_in`: the answer has none."""


@dataclass
class Pair:
    """An access token and the refresh token that came with it."""

    access: str
    refresh: str
    end: float
    before: Pair | None = None
    after: Pair | None = None
    revoked: bool = False


@dataclass
class Fault:
    """
    What happens instead of an answer; `redeem` says if it is done all the same.

    `spoils` is what the answer to it holds in place of what it should.
    """

    name: str
    status: int = 0
    body: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    redeem: bool = False
    spoils: dict[str, object] | None = None


def unavailable(status: int = 503, retry_after: str = "") -> Fault:
    """Return a fault that is no answer to the question."""
    fields = {"retry-after": retry_after} if retry_after else {}
    return Fault(str(status), status, b"", fields)


REFUSED = Fault("connection refused")
LOST = Fault("answer lost", redeem=True)
HTML = Fault("html", 200, b"<html>login</html>", {"content-type": "text/html"})
TRUNCATED = Fault("truncated", 200, b'{"access_token": "a', redeem=True)
SPOILT = Fault("expires_in 0", redeem=True, spoils={"expires_in": 0})
MASKED = Fault("masked", spoils={"access_token": "* *", "refresh_token": "****"})


@dataclass
class ModelServer:
    """Token endpoint and resource server in one."""

    clock: FakeClock
    life: float = 3600.0
    latency: float = 0.2
    way_back: float = 0.0  # seconds more that answers take
    rotates: bool = True
    strict: bool = False
    on_reuse: Callable[[], None] = lambda: None  # before the grant ends by it
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    alive: dict[str, Pair] = field(default_factory=dict)
    usable: dict[str, Pair] = field(default_factory=dict)
    same_token: bool = False
    expires_in: object = None
    issued: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.usable[SEED] = Pair("none", SEED, 0.0)
        self.spent: set[str] = set()

    async def __call__(self, token_url: str, form: Form) -> Exchange:
        """Answer a token request, after the way to and fro."""
        assert token_url == "https://api.box.com/oauth2/token"
        sent_at, sent_wall = self.clock.now(), self.clock.wall()
        fields = {k: v.reveal() if isinstance(v, Secret) else v for k, v in form}
        self.requests.append(fields)
        self.asked_at.append(sent_at)
        await asyncio.sleep(self.latency / 2)
        answer = self._answer(fields)
        await asyncio.sleep(self.latency / 2 + self.way_back)
        if answer is None:
            raise TokenEndpointUnavailable("cannot reach api.box.com: no answer")
        date = parse_http_date(answer.fields["date"], now=self.clock.true_time())
        return Exchange(answer, sent_at, sent_wall, self.clock.now(), date)

    def use(self, token: str) -> int:
        """Answer an API call with the token: 200 or 401."""
        pair = self.alive.get(token)
        if pair is None or pair.revoked or self.clock.now() >= pair.end:
            return 401
        self._retire_before(pair)
        return 200

    def revoke(self, token: str) -> None:
        """Take an access token away; its refresh token stays."""
        self.alive[token].revoked = True

    def end_grant(self) -> None:
        """Take everything away."""
        self.alive.clear()
        self.usable.clear()

    def _answer(self, form: dict[str, str]) -> TokenAnswer | None:
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            return self._json(*self._redeem(form))
        if fault.spoils is not None:
            status, body = self._redeem(form) if fault.redeem else (200, {})
            return self._json(status, body | fault.spoils if status == 200 else body)
        if fault.redeem:
            self._redeem(form)
        if not fault.status:
            return None
        return self._reply(fault.status, fault.body, fault.fields)

    def _redeem(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        if not self.rotates:
            return 200, self._response(self._new_pair(None))
        pair = self.usable.get(form["refresh_token"])
        if pair is None:
            if form["refresh_token"] in self.spent and self.usable:
                self.on_reuse()
                self.end_grant()
            return 400, {
                "error": "invalid_grant",
                "error_description": "Refresh token has expired",
            }
        if self.strict:
            self.spent.add(pair.refresh)
            del self.usable[pair.refresh]
        else:
            self._retire_before(pair)
        if pair.after is None:
            pair.after = self._new_pair(pair)
        return 200, self._response(pair.after)

    def _new_pair(self, before: Pair | None) -> Pair:
        number = next(self._numbers)
        if self.same_token and self.issued:
            access = self.issued[-1]
            end = self.alive[access].end
        else:
            access, end = f"access-{number}", self.clock.now() + self.life
        pair = Pair(access, f"refresh-{number}", end, before)
        if access in self.alive:
            pair.revoked = self.alive[access].revoked
        self.alive[access] = pair
        self.usable[pair.refresh] = pair
        self.issued.append(access)
        return pair

    def _response(self, pair: Pair) -> dict[str, object]:
        body: dict[str, object] = {"access_token": pair.access}
        if self.expires_in is not ABSENT:
            body["expires_in"] = self.expires_in or self.life
        if self.rotates:
            body["refresh_token"] = pair.refresh
        return body

    def _retire_before(self, pair: Pair) -> None:
        before = pair.before
        if before is not None:
            pair.before = None
            self.usable.pop(before.refresh, None)
            if before.access != pair.access:
                self.alive.pop(before.access, None)

    def _json(self, status: int, body: dict[str, object]) -> TokenAnswer:
        kind = {"content-type": "application/json"}
        return self._reply(status, json.dumps(body).encode(), kind)

    def _reply(self, status: int, body: bytes, fields: dict[str, str]) -> TokenAnswer:
        date = formatdate(self.clock.true_time(), usegmt=True)
        return TokenAnswer(status, {"date": date, **fields}, body)
