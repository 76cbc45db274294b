"""What stores promise to processes that share them, tested with real ones."""

import asyncio
from dataclasses import replace

import pytest

from everbearer.secret import Secret
from everbearer.stores.contract import Record
from stores.places import grant, newer


@pytest.fixture
def store(opened, shared_place):
    """Open the place."""
    return opened(shared_place)


async def test_saved_record_survives_a_kill(shared_place, opened, start):
    """A process that is killed as soon as `save` returned has saved."""
    worker = await start(shared_place.folder)
    await worker.ask("open")
    version = await worker.ask("save", "a", "token")
    await worker.kill()

    record = await opened(shared_place).load(grant("a"))
    assert version == "1"
    assert record == Record(version=1, access_token=Secret("token"))


async def test_kill_in_the_midst_loses_nothing(shared_place, opened, start):
    """A process killed while it saves leaves its last told record, or the next."""
    for round_ in range(3):
        name = f"grant-{round_}"
        worker = await start(shared_place.folder)
        await worker.ask("open")
        worker.tell("stream", name)
        for _ in range(5 * round_ + 1):
            last = await worker.hear()
        rest = await worker.kill()
        told = int([last, *rest.split("\n")[:-1]][-1])

        store = opened(shared_place)
        record = await store.load(grant(name))
        assert told <= record.version <= told + 1
        assert await store.save(grant(name), record)


async def test_no_update_is_lost(shared_place, store, start):
    """Processes that add under the lock lose no addition and never conflict."""
    workers = [await start(shared_place.folder) for _ in range(3)]
    for worker in workers:
        assert await worker.ask("open") == "opened"
    answers = await asyncio.gather(*(w.ask("count", "a", 10) for w in workers))

    assert answers == ["counted"] * 3
    assert await store.load(grant("a")) == Record(version=30, issued_at=30)


async def test_lock_dies_with_its_holder(shared_place, store, start):
    """The next waiter enters when the holder is killed, and not before."""
    worker = await start(shared_place.folder)
    await worker.ask("open")
    assert await worker.ask("hold", "a") == "held"

    async def enter():
        async with store.exclusive(grant("a")):
            return "entered"

    waiter = asyncio.ensure_future(enter())
    for _ in range(3):
        await store.save(grant("b"), await store.load(grant("b")) or Record())
    assert not waiter.done()

    await worker.kill()
    async with asyncio.timeout(10):
        assert await waiter == "entered"


async def test_generation_crosses_processes(shared_place, store, start):
    """A save here changes the generation there, and the other way round."""
    worker = await start(shared_place.folder)
    await worker.ask("open")
    async with asyncio.timeout(10):
        before = await worker.ask("generation")
        saved = await store.save(grant("a"), Record())
        assert await worker.ask("generation", before) != before

        here = await store.generation()
        await worker.ask("save", "a", "token")
        assert await newer(store, here) != here
    assert await store.load(grant("a")) == replace(
        saved, version=2, access_token=Secret("token")
    )


async def test_first_processes_agree(shared_place, shared_kind, opened, start):
    """Processes that open an empty place at once make one store with one key."""
    workers = [await start(shared_place.folder) for _ in range(2)]
    for round_ in range(8):
        folder = f"round-{round_}"
        place = type(shared_place)(shared_place.folder / folder)
        place.empty()
        answers = await asyncio.gather(*(w.ask("open", folder) for w in workers))
        assert answers == ["opened"] * 2
        await asyncio.gather(
            *(w.ask("save", name, name) for w, name in zip(workers, "ab", strict=True))
        )

        store = opened(place)
        tokens = [(await store.load(grant(name))).access_token for name in "ab"]
        assert tokens == [Secret("a"), Secret("b")]
