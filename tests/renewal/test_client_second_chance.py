"""A client redeems the refresh token before one that is not proven: ours as well."""

from __future__ import annotations

import pytest

from everbearer.errors import ReauthorizationRequired
from everbearer.secret import Secret
from everbearer.stores.contract import TroubleKind
from renewal.client import Client, answer
from renewal.model_server import MASKED, SEED, SPOILT
from renewal.virtual_time import run, virtual

FOR_EVER = 10_000
PAUSE = 70


async def unproven(fault, *, strict: bool = True) -> Client:
    """Return a client beside a record of two refresh tokens, the seed the earlier."""
    client = Client()
    client.bench.server.strict = strict
    client.bench.server.faults.append(fault)
    await client.go()
    await client.bench.clock.sleep(PAUSE)
    assert client.bench.record.earlier_refresh_tokens == (Secret(SEED),)
    return client


@pytest.mark.parametrize("strict", [False, True])
def test_what_it_brings_is_saved_where_the_other_was_none(strict) -> None:
    """It was alive all the time: whoever redeems it has the next, and so have we."""

    async def scenario() -> None:
        client = await unproven(MASKED, strict=strict)
        await client.go()
        assert client.outcomes == ["saved"]
        assert client.bench.record.refresh_token == Secret("refresh-1")
        assert not client.bench.record.earlier_refresh_tokens
        await client.bench.manager.renew()
        assert await client.bench.request() == 200

    run(scenario())


@virtual
async def test_a_redeem_that_is_repeated_proves_the_new_one() -> None:
    """Box gives the same pair again, well-formed this time: all is known now."""
    client = await unproven(SPOILT, strict=False)
    await client.go()
    record = client.bench.record
    assert record.refresh_token == Secret("refresh-1")
    assert record.access_token == Secret("access-1")
    assert (record.earlier_refresh_tokens, record.trouble) == ((), None)
    assert client.outcomes == ["saved"]


@virtual
async def test_a_server_that_ends_the_grant_by_it_is_understood() -> None:
    """Reuse, strictly judged: the client asked for it, and a person is told once."""
    client = await unproven(SPOILT)
    await client.go()
    assert client.outcomes == ["lost"]
    with pytest.raises(ReauthorizationRequired):
        await client.bench.manager.credential()
    assert client.bench.record.trouble.kind is TroubleKind.REAUTHORIZE


@virtual
async def test_its_refusal_leaves_the_new_one() -> None:
    """No last word, and no second chance any more: ours redeems the new one."""
    client = await unproven(SPOILT)
    begun = await client.begin()
    await begun.answered(answer(400, {"error": "invalid_grant"}))
    assert client.bench.record.refresh_token == Secret("refresh-1")
    assert not client.bench.record.earlier_refresh_tokens
    assert await client.bench.request() == 200


@pytest.mark.parametrize("status", [400, 503])
def test_what_is_no_word_on_it_leaves_both(status) -> None:
    """Another client's refusal, "not now": the new one first, then the one before."""

    async def scenario() -> None:
        client = await unproven(SPOILT)
        begun = await client.begin(client_id="another")
        await begun.answered(answer(status, {"error": "invalid_grant"}))
        assert client.bench.record.refresh_token == Secret("refresh-1")
        assert client.bench.record.earlier_refresh_tokens == (Secret(SEED),)
        assert await client.bench.request() == 200

    run(scenario())


@virtual
async def test_it_goes_under_the_lock() -> None:
    """Ours waits meanwhile, and redeems nothing after it."""
    client = await unproven(MASKED)
    begun = await client.begin()
    assert client.locked
    ours = client.bench.tasks.spawn(client.bench.manager.credential(), "ours")
    await client.bench.clock.sleep(5)
    await begun.answered(await client.ask())
    assert (await ours).value == Secret("access-1")
    assert client.bench.calls == 2


@pytest.mark.parametrize(
    ("first", "strict"), [(MASKED, True), (SPOILT, False)], ids=["none", "real"]
)
def test_a_malformed_answer_to_it_carries_the_chain_on(first, strict) -> None:
    """Spoilt again: what it holds comes next, and what was redeemed stays behind it."""

    async def scenario() -> None:
        client = await unproven(first, strict=strict)
        client.bench.server.faults.append(SPOILT)
        await client.go()
        record = client.bench.record
        assert record.refresh_token == Secret("refresh-1")
        assert record.earlier_refresh_tokens[0] == Secret(SEED)
        assert record.intent is None
        await client.bench.clock.sleep(PAUSE)
        assert await client.bench.request() == 200

    run(scenario())


@pytest.mark.parametrize("spoilt", [False, True])
def test_what_only_the_copy_holds_is_taken_in(spoilt) -> None:
    """The store takes nothing and the process is killed: the next one has it."""

    async def scenario() -> None:
        client = await unproven(MASKED)
        if spoilt:
            client.bench.server.faults.append(SPOILT)
        begun = await client.begin()
        client.bench.store.failing_saves = FOR_EVER
        await begun.answered(await client.ask())
        begun.task.cancel()
        await client.bench.tasks.drain()
        client.bench.store.failing_saves = 0
        await client.bench.clock.sleep(PAUSE)
        assert client.bench.record.refresh_token == Secret("****")
        await client.bench.manager.renew()
        assert client.bench.record.refresh_token == Secret("refresh-2")
        assert client.bench.server.requests[-1]["refresh_token"] == "refresh-1"

    run(scenario())


@virtual
async def test_a_lost_answer_leaves_both() -> None:
    """The new one is redeemed next, then the one before: Box repeats its answer."""
    client = await unproven(MASKED, strict=False)
    begun = await client.begin()
    await client.ask()
    begun.lost("its answer never arrived")
    await client.bench.tasks.drain()
    assert await client.bench.request() == 200
    redeemed = [form["refresh_token"] for form in client.bench.server.requests]
    assert redeemed == [SEED, SEED, "****", SEED]
    assert client.bench.record.refresh_token == Secret("refresh-1")
