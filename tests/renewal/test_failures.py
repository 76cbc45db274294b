"""The token endpoint's troubles: each in its class, none in a traceback."""

from __future__ import annotations

import json
import logging

import pytest

from everbearer.errors import (
    GrantError,
    ReauthorizationRequired,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.events import RenewalFailed
from everbearer.oauth.grants.client_credentials import ClientCredentials
from everbearer.oauth.grants.contract import Subject
from everbearer.secret import Secret
from everbearer.stores.contract import Intent
from renewal.bench import Bench, client_grant, profile_of, refresh_grant
from renewal.model_server import (
    ABSENT,
    HTML,
    REFUSED,
    SEED,
    TRUNCATED,
    Fault,
    unavailable,
)
from renewal.virtual_time import run, virtual


def rejected(error: str) -> Fault:
    """Return an error of RFC 6749."""
    body = {"error": error, "error_description": "no"}
    return Fault(error, 400, json.dumps(body).encode())


def answer(**fields: object) -> Fault:
    """Return a token response."""
    return Fault("answer", 200, json.dumps(fields).encode())


def malformed(kept: str | None = "r", **fields: object) -> Row:
    """Return the row of a token response that is one but for *fields*."""
    good = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}
    return answer(**good | fields), TokenResponseMalformed, 1, kept


type Row = tuple[Fault, type[GrantError], int | None, str | None]

TOO_LONG = unavailable(429, "600")
REJECTED = TokenRequestRejected
UNAVAILABLE = TokenEndpointUnavailable
TABLE: dict[str, Row] = {  # the fault, its class, calls, the refresh token kept of it
    "invalid_grant": (rejected("invalid_grant"), ReauthorizationRequired, 1, None),
    "invalid_client": (rejected("invalid_client"), REJECTED, 1, None),
    "unauthorized_client": (rejected("unauthorized_client"), REJECTED, 1, None),
    "429 with Retry-After": (TOO_LONG, UNAVAILABLE, 1, None),
    "500": (unavailable(500), UNAVAILABLE, None, None),
    "503": (unavailable(503), UNAVAILABLE, None, None),
    "409": (unavailable(409), UNAVAILABLE, None, None),
    "connection refused": (REFUSED, UNAVAILABLE, None, None),
    "HTML": (HTML, TokenResponseMalformed, 1, None),
    "truncated JSON": (TRUNCATED, TokenResponseMalformed, 1, None),
    "expires_in 0": malformed(expires_in=0),
    "expires_in negative": malformed(expires_in=-5),
    "expires_in in words": malformed(expires_in="1h"),
    "another token_type": malformed(token_type="mac"),
    "access token of two words": malformed(access_token="a b"),
    "access token null": malformed(access_token=None),
    "no token": (answer(expires_in=3600), TokenResponseMalformed, 1, None),
    "refresh token as it was sent": malformed(None, expires_in=0, refresh_token=SEED),
    "refresh token blank": malformed(None, expires_in=0, refresh_token="  "),
    "refresh token empty": malformed(None, refresh_token=""),
    "refresh token of two lines": malformed(None, refresh_token="r\nr"),
    "refresh token a number": malformed(None, refresh_token=7),
}


@pytest.mark.parametrize("row", TABLE)
def test_each_failure_ends_in_its_class(row, caplog) -> None:
    """First token: the class, the calls, an event for each, what is kept; no log."""
    fault, kind, calls, kept = TABLE[row]
    caplog.set_level(logging.ERROR)

    async def scenario() -> None:
        bench = Bench()
        bench.server.faults.extend([fault] * 50)
        with pytest.raises(kind) as failure:
            await bench.manager.credential()
        assert type(failure.value) is kind
        assert bench.calls == len(bench.told(RenewalFailed))
        if calls is None:  # retried within the patience, with growing pauses
            assert 5 <= bench.calls <= 12
        else:
            assert bench.calls == calls
        record = bench.record
        assert record.trouble.grant == bench.profile.grant.fingerprint
        if kept is None:  # the seed goes on
            assert record.refresh_token is None
            assert not record.earlier_refresh_tokens
            final = kind in {ReauthorizationRequired, TokenRequestRejected}
            assert (record.intent is None) == final
        else:
            assert record.refresh_token == Secret(kept)
            assert record.earlier_refresh_tokens == (Secret(SEED),)
            assert record.intent is None

    run(scenario())
    assert caplog.records == []


@pytest.mark.parametrize("row", TABLE)
def test_a_living_token_goes_on_serving(row) -> None:
    """Whatever happens in the background, nobody notices before the true end."""
    fault = TABLE[row][0]

    async def scenario() -> None:
        bench = Bench()
        old = await bench.manager.credential()
        bench.server.faults.extend([fault] * 500)
        while bench.clock.now() < old.expires_at - 1:
            await bench.clock.sleep(0.5)
            token = bench.manager.ready(bench.clock.now())
            token = token or await bench.manager.credential()
            assert token.fingerprint == old.fingerprint
        assert bench.calls > 1
        if row.startswith(("invalid", "unauthorized")):
            assert bench.calls == 2
        assert bench.calls < 25

    run(scenario())


@pytest.mark.parametrize("row", ["invalid_grant", "invalid_client"])
def test_a_last_word_is_asked_for_once(row) -> None:
    """Every further request is refused by memory, in every process of the store."""
    fault, kind = TABLE[row][:2]

    async def scenario() -> None:
        bench = Bench()
        bench.server.faults.append(fault)
        for _ in range(3):
            with pytest.raises(kind):
                await bench.manager.credential()
        restarted = Bench(server=bench.server, memory=bench.memory)
        with pytest.raises(kind) as failure:
            await restarted.manager.credential()
        assert "400" in str(failure.value)
        assert bench.calls == 1
        assert bench.record.intent is None

    run(scenario())


@virtual
async def test_stale_requests_do_not_ask_the_store_for_a_known_trouble() -> None:
    """Serving stays cheap when the next renewal makes no sense for a while."""
    bench = Bench()
    await bench.manager.credential()
    bench.server.end_grant()
    await bench.clock.sleep(3450)
    loads = bench.store.loads
    for _ in range(100):
        await bench.clock.sleep(0.5)
        assert bench.manager.ready(bench.clock.now()) is not None
    assert bench.store.loads == loads


@virtual
async def test_reauthorization_names_the_command_to_run() -> None:
    """The hint is the grant's own, now and when the trouble is remembered."""
    bench = Bench()
    bench.server.end_grant()
    for _ in range(2):
        with pytest.raises(ReauthorizationRequired) as failure:
            await bench.manager.credential()
        assert failure.value.hint == bench.profile.grant.reauthorize_hint("dev", "x")


@virtual
async def test_a_corrected_configuration_is_tried_at_once() -> None:
    """Trouble belongs to the configuration that met it."""
    bench = Bench(client_grant())
    bench.server.faults.append(rejected("invalid_client"))
    with pytest.raises(TokenRequestRejected):
        await bench.manager.credential()
    mended = ClientCredentials("client", Secret("right"), Subject("enterprise", "1"))
    profile = profile_of(mended)
    assert profile.key == bench.profile.key
    again = Bench(mended, server=bench.server, memory=bench.memory, profile=profile)
    assert await again.request() == 200


@virtual
async def test_a_conflict_reads_the_store_again() -> None:
    """409, meanwhile another process saves: its token is the answer, no more calls."""
    bench = Bench()
    bench.server.faults.append(unavailable(409, "5"))
    other = Bench(server=bench.server, memory=bench.memory)
    waiting = bench.tasks.spawn(bench.manager.credential(), "waiting")
    await bench.clock.sleep(1)
    token = await other.manager.renew()
    assert (await waiting).fingerprint == token.fingerprint
    assert bench.calls == 2


@virtual
async def test_a_lost_answer_leaves_the_intent_for_the_next() -> None:
    """After a crash, invalid_grant says that an earlier answer was lost."""
    bench = Bench()
    bench.server.faults.append(TRUNCATED)
    with pytest.raises(TokenResponseMalformed):
        await bench.manager.credential()
    assert bench.record.intent == Intent(
        bench.record.intent.at, Secret("refresh-0").fingerprint()
    )
    bench.server.end_grant()
    await bench.clock.sleep(5)
    with pytest.raises(ReauthorizationRequired, match="earlier redeem was lost"):
        await bench.manager.credential()
    assert bench.record.intent is None


@virtual
async def test_no_refresh_token_anywhere_asks_nobody() -> None:
    """Neither seed nor record: refused without a token request."""
    bench = Bench(refresh_grant(seed=None))
    with pytest.raises(ReauthorizationRequired, match="nobody has logged in"):
        await bench.manager.credential()
    assert bench.calls == 0


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [(ABSENT, 3600.0), ("1800", 1800.0), (10**30, 365 * 86400.0), (0.5, 0.5)],
)
def test_expires_in_is_taken_as_it_comes(expires_in, life) -> None:
    """Missing: the provider's default; a string or a huge number: bounded."""

    async def scenario() -> None:
        bench = Bench()
        bench.server.latency = 0.1
        bench.server.expires_in = expires_in
        token = await bench.manager.credential()
        assert token.life == pytest.approx(life)

    run(scenario())


@virtual
async def test_a_token_that_ended_on_its_way_is_malformed() -> None:
    """Its life is shorter than its answer's way: one call, its refresh token kept."""
    bench = Bench()
    bench.server.latency, bench.server.expires_in = 4.0, 2
    with pytest.raises(TokenResponseMalformed, match="ended before"):
        await bench.manager.credential()
    assert bench.calls == 1
    assert bench.record.refresh_token == Secret("refresh-1")
    assert bench.record.access_token is None
