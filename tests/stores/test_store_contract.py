"""What every store promises (everbearer.stores.contract), on each of them."""

import asyncio
import os
from dataclasses import replace

import pytest

from everbearer.errors import StoreConflict
from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record, Trouble, TroubleKind
from stores.places import grant, newer

FULL = Record(
    access_token=Secret("access"),
    issued_at=1.5,
    expires_at=float("inf"),
    refresh_token=Secret("refresh \u20ac"),
    refresh_issued_at=2.25,
    intent=Intent(3.0, "0123456789ab"),
    trouble=Trouble(TroubleKind.UNAVAILABLE, "the endpoint is down", 4.0, 2, 9.0, "fp"),
)


@pytest.fixture
def store(opened, place):
    """Open the place."""
    return opened(place)


async def attempt(store, name="a"):
    """Hold the grant and let go of it again."""
    async with store.exclusive(grant(name)):
        pass


async def test_nothing_is_there_at_first(store):
    """Loading what was never saved returns None."""
    assert await store.load(grant("a")) is None


async def test_record_comes_back_whole(store):
    """Every field of a record comes back, with its version."""
    saved = await store.save(grant("a"), FULL)

    assert saved == replace(FULL, version=1)
    assert await store.load(grant("a")) == saved


async def test_fields_can_be_emptied(store):
    """A later save with less in it leaves nothing of the earlier one."""
    saved = await store.save(grant("a"), FULL)
    await store.save(grant("a"), Record(version=saved.version))

    assert await store.load(grant("a")) == Record(version=2)


async def test_grants_are_kept_apart(store):
    """Keys that differ in any part have records of their own."""
    keys = [
        replace(grant("a"), **change)
        for change in (
            {},
            {"token_url": "https://other.test/token"},
            {"client_id": "other"},
            {"grant": "refresh_token"},
            {"identity": "other"},
            {"dialled": "127.0.0.1:9443"},
        )
    ]
    for number, key in enumerate(keys):
        await store.save(key, Record(issued_at=number))

    assert [(await store.load(key)).issued_at for key in keys] == list(range(6))


async def test_another_object_sees_the_record(place, opened):
    """What one store object saved, another of the same place loads."""
    await opened(place).save(grant("a"), FULL)

    assert await opened(place).load(grant("a")) == replace(FULL, version=1)


@pytest.mark.parametrize("version", [0, 1, 3])
async def test_unseen_record_is_not_overwritten(store, version):
    """A save from any but the stored version is a conflict and changes nothing."""
    await store.save(grant("a"), Record())
    stored = await store.save(grant("a"), Record(version=1))

    with pytest.raises(StoreConflict):
        await store.save(grant("a"), replace(FULL, version=version))

    assert await store.load(grant("a")) == stored


async def test_first_record_has_no_past(store):
    """A version where nothing is stored is a conflict: the record was lost."""
    with pytest.raises(StoreConflict):
        await store.save(grant("a"), Record(version=1))

    assert await store.load(grant("a")) is None


async def test_one_of_many_writers_wins(place, opened):
    """Of many saves from the same version one succeeds, the rest conflict."""
    stores = [opened(place) for _ in range(4)]
    results = await asyncio.gather(
        *(store.save(grant("a"), Record(issued_at=1.0)) for store in stores * 3),
        return_exceptions=True,
    )

    assert sum(isinstance(result, Record) for result in results) == 1
    assert sum(isinstance(result, StoreConflict) for result in results) == 11


async def test_generation_tells_a_save(place, opened):
    """The generation differs after a save of any object, and only then."""
    one, other = opened(place), opened(place)
    before = await one.generation()
    await one.load(grant("a"))
    assert await one.generation() == before

    async with asyncio.timeout(10):
        await other.save(grant("a"), Record())
        after = await newer(one, before)

        await one.save(grant("b"), Record())
        assert await newer(one, after) != before


async def test_version_goes_beyond_what_is_asked(store):
    """A store that had gone back is ahead again of whatever was made before."""
    saved = await store.save(grant("a"), replace(FULL, version=0), beyond=7)
    assert saved.version == 8
    assert await store.load(grant("a")) == saved
    assert (await store.save(grant("a"), saved, beyond=3)).version == 9


async def test_conflict_is_no_save(store):
    """A save that conflicts leaves the generation as it is."""
    await store.save(grant("a"), Record())
    before = await store.generation()

    with pytest.raises(StoreConflict):
        await store.save(grant("a"), Record())

    assert await store.generation() == before


async def test_holder_is_alone(place, opened):
    """Tasks of several store objects are never two inside."""
    stores = [opened(place) for _ in range(3)]
    inside = 0

    async def enter(store):
        nonlocal inside
        async with store.exclusive(grant("a")):
            inside += 1
            assert inside == 1
            await store.load(grant("a"))  # lets the others run
            await asyncio.sleep(0)
            assert inside == 1
            inside -= 1

    await asyncio.gather(*(enter(store) for store in stores * 3))


async def test_other_grants_do_not_wait(store):
    """While one grant is held, another can be."""
    async with store.exclusive(grant("a")), asyncio.timeout(10):
        await attempt(store, "b")


async def test_holder_cannot_enter_twice(store):
    """The lock is not re-entrant: its holder waits for itself."""
    async with store.exclusive(grant("a")):
        second = asyncio.ensure_future(attempt(store))
        for _ in range(3):
            await store.save(grant("b"), await store.load(grant("b")) or Record())
        assert not second.done()
        second.cancel()
        await asyncio.wait([second])


async def test_failure_inside_lets_go(store):
    """What is raised inside comes out as it is, and the next one may enter."""
    with pytest.raises(KeyError, match="mine"):
        async with store.exclusive(grant("a")):
            raise KeyError("mine")

    async with asyncio.timeout(10):
        await attempt(store)


@pytest.mark.parametrize("steps", range(4))
async def test_cancelled_waiter_holds_nothing(place, opened, steps):
    """A waiter cancelled at any step leaves no lock and no descriptor behind."""
    store, other = opened(place), opened(place)
    await attempt(store)
    await store.load(grant("a"))
    descriptors = len(os.listdir("/dev/fd"))  # noqa: PTH208 -- names, not files

    async with store.exclusive(grant("a")):
        waiter = asyncio.ensure_future(attempt(other))
        for _ in range(steps):
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])

    assert waiter.cancelled()
    async with asyncio.timeout(10):
        await attempt(other)
    assert len(os.listdir("/dev/fd")) == descriptors  # noqa: PTH208 -- same


@pytest.mark.parametrize("again", range(4))
async def test_cancelled_holder_lets_go(place, opened, again):
    """A holder cancelled inside, and while it lets go, has let go once it is done."""
    store, other = opened(place), opened(place)
    await attempt(store)
    await attempt(other)
    descriptors = len(os.listdir("/dev/fd"))  # noqa: PTH208 -- names, not files
    entered = asyncio.Event()

    async def enter():
        async with store.exclusive(grant("a")):
            entered.set()
            await asyncio.Event().wait()

    holder = asyncio.ensure_future(enter())
    await entered.wait()
    holder.cancel()
    for _ in range(again):
        await asyncio.sleep(0)
        holder.cancel()
    await asyncio.wait([holder])

    assert holder.cancelled()
    async with asyncio.timeout(10):
        await attempt(other)
    assert len(os.listdir("/dev/fd")) == descriptors  # noqa: PTH208 -- same
