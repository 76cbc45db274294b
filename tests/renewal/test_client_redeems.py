"""A client redeems our refresh token by itself: the order of our own renewals holds."""

from __future__ import annotations

import asyncio
import json

import pytest

from everbearer.errors import StoreError, TokenEndpointUnavailable
from everbearer.events import ClientRedeemed, RenewalFailed, SaveFailed
from everbearer.oauth.client_form import Redeem
from everbearer.oauth.token_response import TokenAnswer
from everbearer.renewal.client_redeem import ANSWER_PATIENCE
from everbearer.secret import Secret
from everbearer.stores.contract import TroubleKind
from renewal.bench import TOKEN_URL, Bench, client_grant
from renewal.client import Client, answer
from renewal.model_server import SEED
from renewal.virtual_time import virtual


@virtual
async def test_the_pair_is_saved_and_served_before_the_client_has_it() -> None:
    """The next refresh token is in the store, its access token is known and served."""
    client = Client()
    old = await client.bench.manager.credential()
    await client.go("refresh-1")
    assert client.bench.record.refresh_token == Secret("refresh-2")
    assert client.bench.record.intent is None
    serving = client.bench.manager.ready(client.bench.clock.now())
    assert serving.value == Secret("access-2") != old.value
    assert client.issued.redeemed.profiles(serving.fingerprint) == {
        client.bench.profile.name
    }
    assert client.outcomes == ["saved"]
    assert not client.locked


@virtual
async def test_the_chain_goes_on_for_both() -> None:
    """The client redeems, uses what it got; ours expires and is renewed: no error."""
    client = Client()
    for turn in range(3):
        got = json.loads((await client.go(f"refresh-{turn}")).body)
        assert client.bench.server.use(got["access_token"]) == 200
        assert await client.bench.request() == 200
    await client.bench.clock.sleep(4000)
    assert await client.bench.request() == 200
    assert client.bench.record.trouble is None


@virtual
async def test_a_renewal_of_ours_meanwhile_waits_and_redeems_nothing() -> None:
    """The client's redeem holds the lock: its token is our renewal's outcome."""
    client = Client()
    begun = await client.begin()
    ours = client.bench.tasks.spawn(client.bench.manager.credential(), "ours")
    await client.bench.clock.sleep(5)
    assert client.bench.calls == 0
    await begun.answered(await client.ask())
    assert (await ours).value == Secret("access-1")
    assert client.bench.calls == 1


@virtual
async def test_a_redeem_meanwhile_waits_and_goes_as_it_is() -> None:
    """Our renewal was first: what the client sends then is no longer ours."""
    client = Client()
    client.bench.server.latency = 10.0
    ours = client.bench.tasks.spawn(client.bench.manager.credential(), "ours")
    await client.bench.clock.sleep(1)
    assert await client.begin() is None
    assert (await ours).value == Secret("access-1")
    assert client.outcomes == ["old"]
    assert not client.locked


@virtual
async def test_a_redeem_that_cannot_have_the_lock_is_refused() -> None:
    """After 30 s, with Retry-After; and it does not take the lock later."""
    client = Client()
    lock = client.bench.memory.locks[client.bench.profile.key]
    await lock.acquire()
    begun = client.bench.clock.now()
    with pytest.raises(TokenEndpointUnavailable) as refused:
        await client.begin()
    assert client.bench.clock.now() - begun == 30
    assert refused.value.retry_after
    lock.release()
    await client.bench.clock.sleep(1)
    assert not client.locked
    assert client.bench.record.version == 0


@virtual
async def test_whoever_gives_up_waiting_leaves_no_lock() -> None:
    """The one who waits is cancelled: nothing waits in its place."""
    client = Client()
    lock = client.bench.memory.locks[client.bench.profile.key]
    await lock.acquire()
    waiting = asyncio.ensure_future(client.begin())
    await client.bench.clock.sleep(1)
    waiting.cancel()
    await asyncio.wait({waiting})
    lock.release()
    await client.bench.tasks.drain()
    assert not client.locked


@virtual
async def test_a_store_that_cannot_be_written_lets_no_redeem_out() -> None:
    """What came could not be kept: StoreError, and the lock is free."""
    client = Client()
    client.bench.store.failing_saves = 1
    with pytest.raises(StoreError):
        await client.begin()
    client.bench.store.failing_loads = 1
    with pytest.raises(StoreError):
        await client.begin()
    await client.bench.tasks.drain()
    assert not client.locked


@virtual
async def test_the_answer_is_held_until_the_save_succeeds() -> None:
    """The disk is full for a while: the client waits, nothing is lost."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = client.bench.store.failing_rescues = 3
    await begun.answered(await client.ask())
    assert client.bench.record.refresh_token == Secret("refresh-1")
    assert client.bench.told(SaveFailed)
    assert client.outcomes == ["saved"]


@virtual
async def test_an_answer_is_not_held_for_ever() -> None:
    """No disk takes it: after 30 s the client has it, and the save is tried on."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = client.bench.store.failing_rescues = 10_000
    came = await client.ask()
    before = client.bench.clock.now()
    await begun.answered(came)
    assert client.bench.clock.now() - before == 30
    assert "disk is full" in client.bench.told(SaveFailed)[0].message
    assert client.locked
    client.bench.store.failing_saves = 0
    await client.bench.tasks.drain()
    assert client.bench.record.refresh_token == Secret("refresh-1")
    assert (client.locked, client.outcomes) == (False, ["saved"])


@virtual
async def test_an_emergency_copy_is_enough_for_the_client() -> None:
    """It has its answer at once, and what it redeems next is known for ours."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = 10_000
    came = await client.ask()
    before = client.bench.clock.now()
    await begun.answered(came)
    assert client.bench.clock.now() == before
    begun.task.cancel()  # as a process that is killed
    await client.bench.tasks.drain()
    client.bench.store.failing_saves = 0
    await client.go("refresh-1")
    assert client.bench.record.refresh_token == Secret("refresh-2")
    assert client.outcomes == ["saved"]


@virtual
async def test_no_answer_is_cut_off_before_the_lock_is_let_go() -> None:
    """After a minute; the intent stays, since the redeem may have happened."""
    client = Client()
    await client.begin()
    await client.bench.clock.sleep(ANSWER_PATIENCE - 1)
    assert (client.cuts, client.locked) == (0, True)
    await client.bench.clock.sleep(2)
    assert (client.cuts, client.locked) == (1, False)
    assert client.bench.record.intent is not None
    assert client.outcomes == ["lost"]


@virtual
async def test_a_lost_answer_keeps_the_intent() -> None:
    """The client left; our next renewal redeems the same refresh token again."""
    client = Client()
    begun = await client.begin()
    await client.ask()
    begun.lost("its answer never arrived")
    await client.bench.tasks.drain()
    assert not client.locked
    assert client.bench.record.intent is not None
    assert await client.bench.request() == 200
    assert client.bench.record.intent is None


@virtual
async def test_invalid_grant_is_remembered_as_ours() -> None:
    """The current refresh token is dead: the endpoint is not asked for it again."""
    client = Client()
    client.bench.server.end_grant()
    await client.go()
    assert client.bench.record.trouble.kind is TroubleKind.REAUTHORIZE
    assert client.bench.record.intent is None
    [failed] = client.bench.told(RenewalFailed)
    assert (failed.cause, failed.code) == ("client", "reauthorization_required")
    assert "everbearer login dev" in failed.hint


@pytest.mark.parametrize(
    ("client_id", "status", "body"),
    [
        ("another", 400, {"error": "invalid_grant"}),
        ("", 400, {"error": "invalid_grant"}),
        ("client", 400, {"error": "invalid_client"}),
        ("client", 401, {"error": "invalid_client"}),
    ],
)
@virtual
async def test_other_refusals_change_nothing(client_id, status, body) -> None:
    """What another client is told, or of something else, is no word on our grant."""
    client = Client()
    await client.bench.manager.credential()
    before = client.bench.record
    begun = await client.begin("refresh-1", client_id)
    await begun.answered(answer(status, body))
    after = client.bench.record
    assert (after.trouble, after.intent) == (None, None)
    assert after.refresh_token == before.refresh_token
    assert not client.bench.told(RenewalFailed)
    assert not client.outcomes


@pytest.mark.parametrize(
    ("came", "told"),
    [
        (answer(200, {"access_token": "a"}), ["lost"]),
        (TokenAnswer(200, {}, b"<html>"), ["lost"]),
        (answer(503, {}), []),
        (answer(409, ""), []),
    ],
)
@virtual
async def test_what_says_nothing_changes_nothing(came, told) -> None:
    """An answer that cannot be read, and one that says "not now": the intent stays."""
    client = Client()
    begun = await client.begin()
    await begun.answered(came)
    assert client.bench.record.refresh_token is None
    assert client.bench.record.intent is not None
    assert client.outcomes == told


@virtual
async def test_a_refresh_token_of_nobody_is_none_of_ours() -> None:
    """No lock, no record, no word."""
    client = Client()
    assert await client.begin("of somebody else") is None
    assert client.bench.record.version == 0
    assert not client.bench.events


@virtual
async def test_a_grant_without_refresh_token_is_not_concerned() -> None:
    """Client credentials rotate nothing."""
    client = Client(Bench(client_grant()))
    assert not client.redeems.may_concern(TOKEN_URL.__eq__)
    assert await client.begin() is None


@virtual
async def test_a_redeem_at_another_endpoint_is_not_concerned() -> None:
    """Our refresh token at a stranger's is not redeemed by him."""
    client = Client()
    redeem = Redeem(Secret(SEED), "client")
    assert await client.redeems.begin(lambda _: False, redeem, client._cut) is None
    assert not client.bench.events


@virtual
async def test_an_old_refresh_token_goes_as_it_is_with_a_hint() -> None:
    """The seed and what clients got before are known again, after rotations too."""
    client = Client()
    await client.go()
    await client.bench.manager.renew()
    await client.bench.request()
    assert await client.begin() is None
    assert await client.begin("refresh-1") is None
    assert client.outcomes == ["saved", "old", "old"]
    assert "refreshing off" in client.bench.told(ClientRedeemed)[-1].hint


@virtual
async def test_another_process_that_changed_the_grant_wins() -> None:
    """The lock was lost, and somebody saved a newer pair: theirs stays."""
    client = Client()
    begun = await client.begin()
    came = await client.ask()
    theirs = await client.overtaken()
    await begun.answered(came)
    assert client.bench.record == theirs
    assert client.outcomes == ["lost"]


@virtual
async def test_stopping_waits_for_what_was_let_go() -> None:
    """The answer under way is saved; who waits for the lock is refused at once."""
    client = Client()
    begun = await client.begin()
    waiting = asyncio.ensure_future(client.begin())
    await client.bench.clock.sleep(1)
    stopped = asyncio.ensure_future(client.redeems.stop())
    await client.bench.clock.sleep(1)
    with pytest.raises(TokenEndpointUnavailable, match="stopping"):
        await waiting
    assert not stopped.done()
    await begun.answered(await client.ask())
    await stopped
    assert client.bench.record.refresh_token == Secret("refresh-1")
    with pytest.raises(TokenEndpointUnavailable, match="stopping"):
        await client.begin()


@virtual
async def test_stopping_ends_without_an_answer() -> None:
    """Nothing comes: after 30 s it is cut off, and the lock is free."""
    client = Client()
    await client.begin()
    before = client.bench.clock.now()
    await client.redeems.stop()
    assert client.bench.clock.now() - before == 30
    assert (client.cuts, client.locked) == (1, False)


@virtual
async def test_a_redeem_whose_task_is_cancelled_is_cut_off_first() -> None:
    """The event loop ends: nothing goes on once the lock is free for others."""
    client = Client()
    begun = await client.begin()
    begun.task.cancel()
    await asyncio.wait({begun.task})
    assert client.locked_at_cut == [True]
    assert not client.locked


@virtual
async def test_an_answered_redeem_that_is_cancelled_is_not_cut_off() -> None:
    """Its client has an answer to get."""
    client = Client()
    begun = await client.begin()
    begun.lost("it came to nothing")
    begun.task.cancel()
    await asyncio.wait({begun.task})
    assert client.cuts == 0
