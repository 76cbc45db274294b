"""What follows a 401."""

from __future__ import annotations

import asyncio

import pytest

from everbearer.errors import (
    ReauthorizationRequired,
    TokenEndpointUnavailable,
    TokenResponseMalformed,
)
from everbearer.events import RenewalFailed, Renewed
from everbearer.secret import Secret
from everbearer.settings.model import Profile
from everbearer.stores.contract import GrantKey, TroubleKind
from renewal.bench import Bench, client_grant
from renewal.model_server import unavailable
from renewal.virtual_time import HOUR, virtual


@virtual
async def test_two_hundred_refused_requests_share_one_token_request() -> None:
    """All were in flight when the token was revoked: one renewal heals them all."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.server.revoke("access-1")
    tokens = await asyncio.gather(
        *(bench.manager.recover(old.fingerprint) for _ in range(200))
    )
    assert {token.value for token in tokens} == {Secret("access-2")}
    assert bench.calls == 2


@virtual
async def test_a_late_401_of_the_old_token_costs_nothing() -> None:
    """The new token's first use retired the old: the replay takes what is there."""
    bench = Bench()
    old = await bench.manager.credential()
    await bench.manager.renew()
    assert await bench.request() == 200
    assert bench.server.use("access-1") == 401
    token = await bench.manager.recover(old.fingerprint)
    assert bench.server.use(token.value.reveal()) == 200
    assert bench.calls == 2


@virtual
async def test_another_processs_token_heals_without_a_redeem() -> None:
    """The store is read first: what another process saved is the answer."""
    first = Bench()
    second = Bench(server=first.server, memory=first.memory)
    old = await first.manager.credential()
    await second.manager.renew()
    await second.request()
    async with first.store.exclusive(first.profile.key):  # and without the lock
        token = await first.manager.recover(old.fingerprint)
    assert token.value == Secret("access-2")
    assert first.calls == 2
    assert [event.shared for event in first.told(Renewed)] == [False, True]


@virtual
async def test_a_refused_token_is_never_served_again() -> None:
    """Also while the endpoint is down and the token has an hour to live."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.server.faults.extend([unavailable(retry_after="600")] * 50)
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.recover(old.fingerprint)
    assert bench.manager.ready(bench.clock.now()) is None
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.credential()


@virtual
async def test_a_refused_token_leaves_the_store() -> None:
    """A process that starts later does not send it either."""
    bench = Bench()
    old = await bench.manager.credential()
    bench.server.faults.extend([unavailable(retry_after="600")] * 50)
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.recover(old.fingerprint)
    restarted = Bench(server=bench.server, memory=bench.memory)
    with pytest.raises(TokenEndpointUnavailable):
        await restarted.manager.credential()
    assert bench.record.access_token is None


@virtual
async def test_a_token_refused_in_a_pause_leaves_the_store() -> None:
    """No renewal will take it out soon: the next process must not send it."""
    bench = Bench()
    await bench.request()
    bench.server.faults.append(unavailable(retry_after="600"))
    with pytest.raises(TokenEndpointUnavailable):
        await bench.manager.renew()
    bench.server.revoke("access-1")
    for _ in range(2):
        with pytest.raises(TokenEndpointUnavailable):
            await bench.request()
    assert bench.record.access_token is None
    version = bench.record.version
    restarted = Bench(server=bench.server, memory=bench.memory)
    with pytest.raises(TokenEndpointUnavailable):
        await restarted.manager.credential()
    assert bench.record.version == version  # taken out once


@virtual
async def test_a_token_refused_during_a_token_request_leaves_the_store() -> None:
    """A 401 comes after the intent, and no token: the failure's record has none."""
    bench = Bench()
    await bench.request()
    bench.server.faults.append(unavailable(retry_after="600"))
    asked = bench.tasks.spawn(bench.manager.renew(), "asked")
    await bench.clock.sleep(0.1)
    bench.manager._held.bury(bench.record.access_token.fingerprint())
    await asyncio.wait({asked})
    assert isinstance(asked.exception(), TokenEndpointUnavailable)
    assert bench.record.access_token is None


@virtual
async def test_the_refused_token_coming_back_is_malformed() -> None:
    """The server answers with the token that it refuses: no storm, no service."""
    bench = Bench(client_grant())
    bench.server.same_token = True
    old = await bench.manager.credential()
    bench.server.revoke("access-1")
    for _ in range(20):
        with pytest.raises(TokenResponseMalformed):
            await bench.manager.recover(old.fingerprint)
    assert bench.calls == 2
    assert bench.record.trouble.kind is TroubleKind.MALFORMED


@virtual
async def test_a_401_during_a_background_renewal_joins_it() -> None:
    """One flight at a time; its end is right for whoever joined."""
    bench = Bench()
    old = await bench.manager.credential()
    asked = asyncio.ensure_future(bench.manager.renew())
    await asyncio.sleep(0.05)
    token = await bench.manager.recover(old.fingerprint)
    assert token is await asked
    assert bench.calls == 2


@virtual
async def test_a_background_renewal_without_progress_cannot_serve_a_refused_token() -> (
    None
):
    """The same token comes back while a 401 for it comes in: it stays dead."""
    bench = Bench(client_grant())
    bench.server.same_token = True
    old = await bench.manager.credential()
    asked = asyncio.ensure_future(bench.manager.renew())
    await asyncio.sleep(0.05)
    with pytest.raises(TokenResponseMalformed):
        await bench.manager.recover(old.fingerprint)
    with pytest.raises(TokenResponseMalformed):
        await asked
    assert bench.manager.ready(bench.clock.now()) is None


@virtual
async def test_the_same_token_in_the_background_is_success_without_progress() -> None:
    """A server that caches: the token serves on, and is asked for with backoff."""
    bench = Bench(client_grant())
    bench.server.same_token = True
    old = await bench.manager.credential()
    while bench.clock.now() < old.expires_at - 20:
        await bench.clock.sleep(5)
        assert (await bench.manager.credential()).fingerprint == old.fingerprint
    assert 2 < bench.calls < 20
    assert bench.told(RenewalFailed)
    bench.server.same_token = False
    await bench.clock.sleep(60)
    assert await bench.request() == 200


@virtual
async def test_the_same_token_is_taken_at_its_word_after_its_end() -> None:
    """The old end has passed and the server vouches for the token anew: served."""
    bench = Bench(client_grant())
    bench.server.same_token = True
    old = await bench.manager.credential()
    await bench.clock.sleep(HOUR - 250)
    while bench.clock.now() < old.expires_at:
        await bench.manager.credential()
        await bench.clock.sleep(0.5)
    token = await bench.manager.credential()
    assert token.value == Secret("access-1")
    assert token.expires_at > bench.clock.now()


@virtual
async def test_a_developer_token_is_served_until_it_is_refused() -> None:
    """No grant: never a token request, and the end says what a person does."""
    key = GrantKey("", "", "access_token", "")
    bench = Bench(profile=Profile("dev", "box", "", key, access_token=Secret("dev")))
    token = await bench.manager.credential()
    assert bench.manager.ready(bench.clock.now()) is token
    assert (await bench.manager.status()).state == "fresh"
    with pytest.raises(ReauthorizationRequired, match="cannot be renewed"):
        await bench.manager.renew()
    assert bench.manager.ready(bench.clock.now()) is token
    for _ in range(2):
        with pytest.raises(ReauthorizationRequired) as failure:
            await bench.manager.recover(token.fingerprint)
        assert "profiles.dev.access_token" in failure.value.hint
    assert bench.manager.ready(bench.clock.now()) is None
    assert (await bench.manager.status()).state == "dead"
    assert bench.calls == 0
