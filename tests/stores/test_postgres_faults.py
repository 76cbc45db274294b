"""What a PostgreSQL store does when the server or the network goes away."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import StoreConflict, StoreError
from everbearer.secret import Secret
from everbearer.settings.postgres_url import parse
from everbearer.stores.contract import Record
from everbearer.stores.keys import FileKey
from everbearer.stores.postgres import PostgresStore
from everbearer.stores.postgres_session import Timing
from postgres_cluster import Cluster
from stores import postgres_database
from stores.behind import CANARY, RECORD
from stores.places import grant, newer
from stores.relay import Relay

SAVED = replace(RECORD, version=1)

pytestmark = pytest.mark.real
STATED = 30.0
"""Seconds after which a holder that was cut off has lost its lock, as documented."""


@pytest.fixture(scope="module")
def cluster():
    """Start a server that any test of this module may stop and leaves running."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture
def key(tmp_path):
    """Return the place of a key."""
    return FileKey(tmp_path / "store.key")


@pytest.fixture
def database(cluster, key):
    """Return the database, with an empty store."""
    database = parse(cluster.url, None)
    postgres_database.empty(database)
    PostgresStore.migrate(database, key)
    return database


async def test_a_holder_that_is_cut_off_loses_its_lock(
    opened_at, database, record_property
):
    """
    Without a FIN, another has the lock within 30 s, and nothing of its is lost.

    The holder, heard again, finds its lock lost and its save in conflict.
    """
    loop = asyncio.get_running_loop()
    async with Relay(database.port) as relay:
        through = replace(database, port=relay.port)
        cut = await asyncio.to_thread(opened_at, through, Timing())
        other = opened_at(database, Timing())
        async with cut.exclusive(grant("a")):
            intent = await cut.save(grant("a"), RECORD)
            relay.cut()
            began = loop.time()
            async with asyncio.timeout(STATED), other.exclusive(grant("a")):
                record_property(
                    "measured",
                    "PostgreSQL: a lock whose holder was cut off without a FIN was "
                    f"free after {loop.time() - began:.0f} s",
                )
                there = await other.load(grant("a"))
                newer_record = await other.save(grant("a"), there)
            relay.mend()
            async with asyncio.timeout(60):
                with pytest.raises(StoreConflict):
                    await again(cut, intent)
        assert await other.load(grant("a")) == newer_record


async def test_a_holder_that_is_cut_off_saves_when_it_is_heard_again(
    opened_at, database
):
    """With nobody else in between, its save takes the lock again and is kept."""
    quick = Timing(connect=2.0, answer=1.0, idle=2.0, beat=0.2, patience=1.0)
    async with Relay(database.port) as relay:
        through = replace(database, port=relay.port)
        cut = await asyncio.to_thread(opened_at, through, quick)
        async with cut.exclusive(grant("a")):
            await cut.save(grant("a"), RECORD)
            relay.cut()
            with pytest.raises(StoreError, match="no answer in time"):
                await cut.save(grant("a"), SAVED)
            relay.mend()
            async with asyncio.timeout(60):
                saved = await again(cut, SAVED)
        assert saved.version == 2
        assert await opened_at(database, quick).load(grant("a")) == saved


async def again(store, record):
    """Save as a renewal does: again and again until it is done, or conflicts."""
    while True:
        try:
            return await store.save(grant("a"), record)
        except StoreConflict:
            raise
        except StoreError:
            await asyncio.sleep(0)


async def test_a_server_that_was_away_is_found_again(cluster, opened_at, database):
    """Each use fails with its reason while it is away; and heals by itself."""
    store = opened_at(database, Timing(patience=0.0))
    await store.save(grant("a"), RECORD)
    before = await newer(store, -1)
    cluster.stop()
    try:
        for use in (
            lambda: store.load(grant("a")),
            lambda: store.save(grant("a"), SAVED),
            lambda: enter(store),
        ):
            with pytest.raises(StoreError, match=r"cannot be reached|was stopped"):
                await use()
        with pytest.raises(StoreError):
            await newer(store, before)  # as soon as it knows
    finally:
        cluster.start()

    async with asyncio.timeout(60):
        assert (await again(store, SAVED)).version == 2
        assert await newer(store, before) == 2
        await until(lambda: enter(store))


async def test_a_server_that_starts_soon_is_waited_for(cluster, opened_at, database):
    """What needs it while it starts waits, and succeeds."""
    store = opened_at(database, Timing(patience=60.0))
    await store.save(grant("a"), RECORD)
    cluster.stop("immediate")
    waiting = [
        asyncio.ensure_future(each)
        for each in (
            store.load(grant("a")),
            store.save(grant("b"), RECORD),
            enter(store),
        )
    ]
    try:
        await asyncio.to_thread(cluster.start)
    finally:
        results = await asyncio.gather(*waiting)
    assert results[:2] == [SAVED, SAVED]


async def test_nobody_is_inside_when_the_server_crashes(cluster, opened_at, database):
    """A holder whose server crashed locks again before it saves; it was alone."""
    store = opened_at(database, Timing(patience=60.0))
    other = opened_at(database, Timing(patience=60.0))
    async with store.exclusive(grant("a")):
        await store.save(grant("a"), RECORD)
        await asyncio.to_thread(cluster.stop, "immediate")
        await asyncio.to_thread(cluster.start)
        saved = await again(store, SAVED)
        waiter = asyncio.ensure_future(enter(other))
        for _ in range(3):
            saved = await store.save(grant("a"), saved)
        assert not waiter.done()
    async with asyncio.timeout(20):
        await waiter


async def enter(store):
    """Hold the grant and let go of it again."""
    async with store.exclusive(grant("a")):
        pass


async def until(use):
    """Use the store again and again until it can be."""
    while True:
        try:
            return await use()
        except StoreError:
            await asyncio.sleep(0)


@pytest.fixture
def opened_at(opened, key):
    """Open a database; closed when the test ends."""

    def open_at(database, timing):
        return opened(Opening(database, key, timing))

    return open_at


class Opening:
    """A store of a cluster, as the fixture `opened` wants it."""

    def __init__(self, *where):
        self._where = where

    def open(self):
        """Open it once more."""
        return PostgresStore.open(*self._where, elsewhere=Path("/nowhere"))


async def test_a_password_opens_and_is_told_nowhere(key, capfd, caplog):
    """The right one opens the store; the wrong one is refused without being told."""
    caplog.set_level(0)
    cluster = Cluster(CANARY)
    try:
        database = replace(parse(cluster.url, None), password=Secret(CANARY))
        PostgresStore.migrate(database, key)
        store = PostgresStore.open(database, key, elsewhere=Path("/nowhere"))
        assert await store.save(grant("a"), Record()) == Record(version=1)
        await store.close()

        wrong = replace(database, password=Secret(CANARY[::-1]))
        with pytest.raises(StoreError, match="refuses the password") as caught:
            PostgresStore.open(wrong, key, elsewhere=Path("/nowhere"))
        with pytest.raises(StoreError, match="wants a password"):
            PostgresStore.open(
                replace(database, password=None), key, elsewhere=Path("/nowhere")
            )
    finally:
        cluster.remove()
    captured = capfd.readouterr()
    told = f"{caught.value!r} {caught.value.hint} {caplog.text} {captured}"
    assert CANARY not in told
    assert CANARY[::-1] not in told
