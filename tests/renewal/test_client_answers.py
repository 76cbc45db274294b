"""What a client's own redeem brings is ours as well: malformed, unsaved or cut off."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from everbearer.broker import Broker
from everbearer.errors import TokenEndpointUnavailable
from everbearer.events import ClientRedeemed, RenewalFailed, SaveFailed
from everbearer.oauth.client_form import Redeem
from everbearer.renewal.client_redeem import ANSWER_PATIENCE
from everbearer.renewal.client_redeems import STOP_PATIENCE
from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record, TroubleKind
from everbearer.stores.memory import MemoryStore
from renewal.bench import TOKEN_URL, FlakyStore
from renewal.client import Client, answer
from renewal.model_server import MASKED, SEED, SPOILT
from renewal.test_managers import SETTINGS
from renewal.virtual_time import FakeClock, virtual

FOR_EVER = 10_000
PAUSE = 70


async def after_malformed(fault) -> Client:
    """Return a client whose redeem of the seed had a malformed answer."""
    client = Client()
    client.bench.server.strict = True
    client.bench.server.faults.append(fault)
    await client.go()
    await client.bench.clock.sleep(PAUSE)
    return client


# -- malformed answers ------------------------------------------------------


@virtual
async def test_the_refresh_token_of_a_malformed_answer_is_saved() -> None:
    """A strict server: ours redeems what the client's answer held, and all is well."""
    client = await after_malformed(SPOILT)
    record = client.bench.record
    assert record.refresh_token == Secret("refresh-1")
    assert record.earlier_refresh_tokens == (Secret(SEED),)
    assert (record.intent, record.trouble.kind) == (None, TroubleKind.MALFORMED)
    [failed] = client.bench.told(RenewalFailed)
    assert (failed.cause, failed.code) == ("client", "token_response_malformed")
    assert failed.retry_at
    assert await client.bench.request() == 200
    assert not client.outcomes


@virtual
async def test_a_copy_of_it_is_enough_for_the_client() -> None:
    """The store takes nothing: the client has its answer once the copy is written."""
    client = Client()
    client.bench.server.faults.append(SPOILT)
    begun = await client.begin()
    client.bench.store.failing_saves = FOR_EVER
    came = await client.ask()
    before = client.bench.clock.now()
    await begun.answered(came)
    assert client.bench.clock.now() == before
    [copy] = client.bench.memory.rescued[client.bench.profile.key]
    assert copy.refresh_token == Secret("refresh-1")
    assert client.locked
    client.bench.store.failing_saves = 0
    await client.bench.tasks.drain()
    assert client.bench.record.refresh_token == Secret("refresh-1")


@virtual
async def test_what_was_refused_to_the_client_gives_way_to_the_one_before() -> None:
    """The malformed answer was masked: no last word, ours tries the one before."""
    client = await after_malformed(MASKED)
    await client.go("****")
    assert client.bench.record.refresh_token == Secret(SEED)
    assert not client.bench.record.earlier_refresh_tokens
    assert client.outcomes == ["lost"]
    assert "tried next" in client.bench.told(ClientRedeemed)[0].message
    assert await client.bench.request() == 200


@virtual
async def test_another_process_wins_over_a_malformed_answer() -> None:
    """The lock was lost, and somebody saved a newer pair: theirs stays."""
    client = Client()
    client.bench.server.faults.append(SPOILT)
    begun = await client.begin()
    came = await client.ask()
    theirs = await client.overtaken()
    await begun.answered(came)
    assert client.bench.record == theirs
    assert client.outcomes == ["lost"]
    assert not client.bench.told(RenewalFailed)


# -- refused, and the lock lost ---------------------------------------------


@virtual
async def test_a_refusal_after_the_lock_was_lost_is_no_last_word() -> None:
    """Another has redeemed meanwhile: that is why it was refused, and nothing ends."""
    client = Client()
    await client.go()
    begun = await client.begin("refresh-1")
    key = client.bench.profile.key
    theirs = replace(
        client.bench.record,
        version=client.bench.record.version + 1,
        refresh_token=Secret("refresh-2"),
    )
    client.bench.memory.records[key] = theirs
    await begun.answered(answer(400, {"error": "invalid_grant"}))
    assert client.bench.record == theirs
    assert not client.bench.told(RenewalFailed)
    assert client.outcomes == ["saved", "lost"]


@virtual
async def test_a_refusal_that_cannot_be_noted_is_no_last_word() -> None:
    """The store is away: told as that, and the next renewal asks by itself."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = 1
    await begun.answered(answer(400, {"error": "invalid_grant"}))
    [failed] = client.bench.told(RenewalFailed)
    assert failed.code == "store_error"
    assert failed.retry_at
    assert client.bench.record.trouble is None
    assert await client.bench.request() == 200


# -- a refresh token on its way to the disk ---------------------------------


class MovingStore(FlakyStore):
    """Between two reads of anything the emergency copy is taken in, once."""

    moving = False

    def _move(self, key) -> None:
        memory = self.inner._memory
        if self.moving and (copies := memory.rescued.pop(key, None)):
            memory.records[key] = replace(copies[0], intent=None)

    async def load(self, key):
        """Load, then let the copy move."""
        record = await super().load(key)
        self._move(key)
        return record

    async def rescued(self, key):
        """Look, then let the copy move."""
        found = await super().rescued(key)
        self._move(key)
        return found


@virtual
async def test_a_copy_that_is_taken_in_meanwhile_is_not_missed() -> None:
    """It leaves its file for the store between two looks: the redeem is still ours."""
    client = Client()
    bench = client.bench
    copy = Record(
        version=1,
        refresh_token=Secret("refresh-1"),
        intent=Intent(0.0, Secret(SEED).fingerprint()),
    )
    bench.memory.records[bench.profile.key] = Record(version=1)
    bench.memory.rescued[bench.profile.key] = [copy]
    moving = MovingStore(MemoryStore(bench.memory))
    moving.moving = True
    client.redeems._store = moving
    begun = await client.begin("refresh-1")
    assert begun is not None
    assert client.locked
    begun.lost("the test is over")


@virtual
async def test_what_is_on_no_disk_yet_waits_for_it() -> None:
    """The client has its answer after 30 s, and redeems: once it is saved, locked."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = client.bench.store.failing_rescues = FOR_EVER
    await begun.answered(await client.ask())
    assert client.bench.told(SaveFailed)
    waiting = asyncio.ensure_future(client.begin("refresh-1"))
    await client.bench.clock.sleep(10)
    assert not waiting.done()
    client.bench.store.failing_saves = 0
    again = await waiting
    assert again is not None
    assert client.locked
    assert client.bench.record.refresh_token == Secret("refresh-1")
    await again.answered(await client.ask("refresh-1"))
    assert client.bench.record.refresh_token == Secret("refresh-2")


@virtual
async def test_what_no_disk_takes_is_refused() -> None:
    """After 30 s more, with the reason; it never leaves without the lock."""
    client = Client()
    client.bench.server.faults.append(SPOILT)
    begun = await client.begin()
    client.bench.store.failing_saves = client.bench.store.failing_rescues = FOR_EVER
    await begun.answered(await client.ask())
    with pytest.raises(TokenEndpointUnavailable, match="or saved"):
        await client.begin("refresh-1")
    client.bench.store.failing_saves = 0
    await client.bench.tasks.drain()
    assert client.bench.record.refresh_token == Secret("refresh-1")
    assert not client.locked


# -- stopping ---------------------------------------------------------------


@virtual
async def test_stopping_cuts_what_has_no_answer_before_the_lock_is_free() -> None:
    """Nobody else may redeem while it could still arrive; and it is told."""
    client = Client()
    await client.begin()
    stopped = asyncio.ensure_future(client.redeems.stop())
    await client.bench.clock.sleep(STOP_PATIENCE - 1)
    assert (client.cuts, client.locked) == (0, True)
    await stopped
    assert client.locked_at_cut == [True]
    assert not client.locked
    assert client.outcomes == ["lost"]
    assert client.bench.record.intent is not None


@virtual
async def test_stopping_cuts_nothing_that_was_answered() -> None:
    """What came cannot be saved: the client has its answer, its exchange is over."""
    client = Client()
    begun = await client.begin()
    client.bench.store.failing_saves = FOR_EVER
    await begun.answered(await client.ask())
    await client.redeems.stop()
    assert (client.cuts, client.locked) == (0, False)


@virtual
async def test_an_answer_that_is_late_is_cut_once() -> None:
    """Stopping comes after the cut that its patience brought."""
    client = Client()
    await client.begin()
    await client.bench.clock.sleep(ANSWER_PATIENCE + 1)
    await client.redeems.stop()
    assert client.cuts == 1


@virtual
async def test_stopping_tells_for_whose_redeem_it_waits() -> None:
    """The one who stops it knows of clients' redeems as of our own."""
    store = MemoryStore()
    broker = Broker(SETTINGS, lambda: SETTINGS, clock=FakeClock(), store=store)
    assert broker.awaited == ""
    redeem = Redeem(Secret(SEED), "client")
    redeems = broker.client_redeems
    begun = await redeems.begin(TOKEN_URL.__eq__, redeem, lambda: None)
    assert "the new token of dev is saved" in broker.awaited
    kept = broker.keep(asyncio.sleep(0), "the login of dev")
    both = "the new token of dev is saved and this has ended: the login of dev; "
    assert both in broker.awaited
    await kept
    begun.lost("the test is over")
    await broker.stop()
    assert broker.awaited == ""
