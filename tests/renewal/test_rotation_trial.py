"""An old refresh token is redeemed again on purpose, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from everbearer.errors import (
    ConfigError,
    ReauthorizationRequired,
    TokenResponseMalformed,
)
from everbearer.renewal.rotation import Rotation, try_rotation
from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record
from everbearer.stores.memory import Memory, MemoryStore
from renewal.bench import FlakyStore, client_grant, profile_of, refresh_grant
from renewal.model_server import SPOILT, ModelServer
from renewal.virtual_time import FakeClock, virtual


class Generous(ModelServer):
    """Gives another pair each time."""

    def _redeem(self, form):
        return 200, self._response(self._new_pair(None))


@dataclass
class Trial:
    """A trial on a model server and a store in memory."""

    kind: type[ModelServer] = ModelServer
    profile: object = field(default_factory=lambda: profile_of(refresh_grant()))

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.server = self.kind(self.clock)
        self.store = FlakyStore(MemoryStore(Memory()))

    async def use(self, token) -> int:
        assert token.value.reveal() in self.store.saved_tokens, "used before saved"
        return self.server.use(token.value.reveal())

    async def run(self) -> Rotation:
        return await try_rotation(
            self.profile,
            store=self.store,
            endpoint=self.server,
            clock=self.clock,
            use=self.use,
        )

    async def record(self):
        return await self.store.inner.load(self.profile.key)


@virtual
async def test_boxs_rotation_is_recognised():
    """The same pair until the new access token was used, then nothing."""
    trial = Trial()
    assert await trial.run() == Rotation(
        "the same pair again", 200, "reauthorization_required", 200
    )
    record = await trial.record()
    assert record.refresh_token.reveal() in trial.server.usable
    assert trial.server.use(record.access_token.reveal()) == 200
    assert record.intent is None


@virtual
async def test_a_strict_rotation_is_recognised():
    """The second redeem ends the grant, and that is found."""
    trial = Trial()
    trial.server.strict = True
    found = await trial.run()
    assert found.redeemed_again_at_once == "reauthorization_required"
    assert found.new_access_token == 401


@virtual
async def test_another_pair_is_saved_before_it_is_used():
    """Where a server gives a new one each time, the newest is what stays."""
    trial = Trial(Generous)
    found = await trial.run()
    assert found.redeemed_again_at_once == "another pair"
    assert found.redeemed_again_after_use == "another pair"
    record = await trial.record()
    assert record.access_token.reveal() == trial.server.issued[-1]


@virtual
async def test_a_store_that_fails_is_waited_for():
    """What was redeemed is not used before it is on disk."""
    trial = Trial()
    trial.store.spared_saves, trial.store.failing_saves = 1, 3
    found = await trial.run()
    assert found.new_access_token == 200
    record = await trial.record()
    assert record.access_token.reveal() == trial.server.issued[-1]


@virtual
async def test_a_store_that_takes_no_intent_asks_nobody():
    """As in a renewal: what could not be kept is not asked for."""
    trial = Trial()
    trial.store.failing_saves = 1
    with pytest.raises(Exception, match="disk is full"):
        await trial.run()
    assert trial.server.requests == []


@virtual
async def test_what_has_begun_is_ended():
    """However long the server takes: only the lock is waited for with an end."""
    trial = Trial()
    trial.server.latency = 20.0
    found = await trial.run()
    assert found.new_access_token_at_the_end == 200


@virtual
async def test_a_dead_grant_is_told():
    """By the first redeem; nothing is redeemed again then."""
    trial = Trial()
    trial.server.end_grant()
    with pytest.raises(ReauthorizationRequired):
        await trial.run()
    assert len(trial.server.requests) == 1


@virtual
async def test_an_emergency_copy_is_taken_in_first():
    """What another could not save is redeemed, and not what it redeemed."""
    trial = Trial()
    key, seed = trial.profile.key, Secret("refresh-0")
    await trial.server("https://api.box.com/oauth2/token", [("refresh_token", seed)])
    copy = Record(
        access_token=Secret("access-1"),
        refresh_token=Secret("refresh-1"),
        intent=Intent(1.0, seed.fingerprint()),
    )
    await trial.store.save(key, Record(refresh_token=seed))
    await trial.store.rescue(key, replace(copy, version=1))
    await trial.run()
    redeemed = [each["refresh_token"] for each in trial.server.requests]
    assert redeemed == ["refresh-0", "refresh-1", "refresh-1", "refresh-1"]


@pytest.mark.parametrize("good", [0, 2])
def test_the_refresh_token_of_a_malformed_answer_is_kept(good):
    """Of the first redeem and of those on purpose; the one before is there as well."""

    @virtual
    async def malformed():
        trial = Trial(Generous)
        answer = trial.server._answer

        def spoil_one(form):
            if len(trial.server.requests) == good + 1:
                trial.server.faults.append(SPOILT)
            return answer(form)

        trial.server._answer = spoil_one
        with suppress(TokenResponseMalformed):
            await trial.run()
        record = await trial.record()
        assert record.refresh_token == Secret(f"refresh-{good + 1}")
        assert record.earlier_refresh_tokens == (Secret(f"refresh-{good}"),)

    malformed()


@virtual
async def test_nobody_else_redeems_meanwhile():
    """Who has the lock is waited for, and nothing is asked without it."""
    trial = Trial()
    async with trial.store.exclusive(trial.profile.key):
        waiting = asyncio.ensure_future(trial.run())
        await trial.clock.sleep(5)
        assert trial.server.requests == []
        with pytest.raises(TimeoutError):
            await waiting
    assert trial.server.requests == []


@virtual
async def test_a_grant_without_refresh_token_is_refused():
    """There is nothing to find out."""
    with pytest.raises(ConfigError, match="no refresh token"):
        await Trial(profile=profile_of(client_grant())).run()
