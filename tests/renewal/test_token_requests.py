"""Assertions: a fresh nonce for every attempt, the server's clock."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from everbearer.errors import ReauthorizationRequired
from everbearer.oauth.assertion import PrivateKey
from everbearer.oauth.grants.contract import Subject
from everbearer.oauth.grants.jwt_bearer import JwtBearer
from everbearer.secret import Secret
from renewal.bench import Bench
from renewal.model_server import ModelServer, unavailable
from renewal.virtual_time import FakeClock, run, virtual

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Form
    from everbearer.renewal.exchange import Exchange


@cache
def private_key() -> rsa.RSAPrivateKey:
    """Return one key for all tests."""
    return rsa.generate_private_key(65537, 2048)


def jwt_grant() -> JwtBearer:
    """Return a grant with an assertion."""
    key = PrivateKey(private_key())
    return JwtBearer("client", Secret("hush"), Subject("enterprise", "1"), "kid", key)


class AssertionServer(ModelServer):
    """Box's rules for assertions: `exp` by its own clock, a `jti` once, even a 503."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, rotates=False)
        self.seen: set[str] = set()

    async def __call__(self, token_url: str, form: Form) -> Exchange:
        """Judge the assertion, then answer."""
        claims = jwt.decode(
            dict(form)["assertion"].reveal(), options={"verify_signature": False}
        )
        assert isinstance(claims["exp"], int)
        assert "iat" not in claims
        self.complaint = ""
        if claims["jti"] in self.seen:
            self.complaint = "Please check the 'jti' claim."
        if not 0 < claims["exp"] - self.clock.true_time() <= 60:
            self.complaint = "Please check the 'exp' claim."
        assert len(claims["jti"]) >= 16
        self.seen.add(claims["jti"])
        return await super().__call__(token_url, form)

    def _redeem(self, form):
        if self.complaint:
            error = {"error": "invalid_grant", "error_description": self.complaint}
            return 400, error
        return super()._redeem(form)


@pytest.mark.parametrize("skew", [0, 3600, -3600, 40, -40])
def test_a_clock_an_hour_off_is_corrected_once(skew) -> None:
    """One refusal teaches the offset; later renewals are right at once."""

    async def scenario() -> None:
        clock = FakeClock()
        clock.skew = skew
        bench = Bench(jwt_grant(), server=AssertionServer(clock))
        assert await bench.request() == 200
        first = 1 if abs(skew) < 30 else 2
        assert bench.calls == first
        await bench.manager.renew()
        clock.skew = -skew  # somebody sets our clock: nothing to do with the server's
        await bench.manager.renew()
        assert bench.calls == first + 2

    run(scenario())


@virtual
async def test_every_attempt_has_its_own_jti() -> None:
    """A 503 has used its jti up; the next attempt has another."""
    bench = Bench(jwt_grant(), server=AssertionServer(FakeClock()))
    bench.server.faults.extend([unavailable(), unavailable(429, "1")])
    assert await bench.request() == 200
    assert len(bench.server.seen) == bench.calls == 3


@virtual
async def test_a_refusal_that_stays_is_believed_after_two_attempts() -> None:
    """Correcting did not help: reauthorize, and no further calls."""
    bench = Bench(jwt_grant(), server=AssertionServer(FakeClock()))
    complaint = {"error": "invalid_grant", "error_description": "check 'exp' claim"}
    bench.server._redeem = lambda _: (400, complaint)
    for _ in range(3):
        with pytest.raises(ReauthorizationRequired):
            await bench.manager.credential()
    assert bench.calls == 2


@virtual
async def test_a_new_assertion_token_does_not_end_the_old() -> None:
    """Grants without rotation: requests in flight keep their token (Box)."""
    bench = Bench(jwt_grant(), server=AssertionServer(FakeClock()))
    await bench.request()
    await bench.manager.renew()
    assert await bench.request() == 200
    assert bench.server.use("access-1") == 200
