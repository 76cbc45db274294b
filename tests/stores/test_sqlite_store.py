"""What a SQLite store does when the disk or other processes get in its way."""

import asyncio
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from filelock import lock_descriptor

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.settings.model import KeySource, StoreSettings
from everbearer.stores import open_store
from everbearer.stores.contract import Record
from everbearer.stores.memory import MemoryStore
from everbearer.stores.sqlite import SqliteStore
from stores.behind import RECORD, execute, same_file
from stores.places import grant


async def test_full_disk_is_named(sqlite_store, path):
    """A save that finds no room says so and leaves the record that was there."""
    sqlite_store._connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(StoreError, match="disk is full"):
        await sqlite_store.save(
            grant("a"), Record(version=1, access_token=Secret("x" * 100_000))
        )
    assert await sqlite_store.load(grant("a")) == replace(RECORD, version=1)

    sqlite_store._connection.execute("PRAGMA max_page_count = 1000")
    assert await sqlite_store.save(grant("a"), replace(RECORD, version=1))


async def test_locked_file_is_named(sqlite_store, path):
    """A file that another program keeps locked is an error, not a wait for ever."""
    sqlite_store._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in (
            sqlite_store.load(grant("a")),
            sqlite_store.save(grant("a"), RECORD),
        ):
            with pytest.raises(StoreError, match="locked by another process"):
                await use

    assert await sqlite_store.load(grant("a")) == replace(RECORD, version=1)


async def test_cancelled_save_ends_first(sqlite_store, path):
    """A save that is cancelled, even twice, raises once the file is at rest."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        save = asyncio.ensure_future(sqlite_store.save(grant("a"), Record(version=1)))
        for _ in range(2):
            await asyncio.sleep(0)
            save.cancel()
        await asyncio.sleep(0)
        assert not save.done()
        other.execute("ROLLBACK")
    await asyncio.wait([save])

    assert save.cancelled()
    assert execute(path, ("SELECT version FROM records",)) == [(2,)]


@pytest.mark.parametrize("replaced", [False, True])
async def test_removed_file_takes_no_save(sqlite_store, path, replaced):
    """Once the file is gone or another is at its place, nothing counts as saved."""
    if replaced:
        shutil.copy(path, path.with_name("copy"))
        path.with_name("copy").rename(path)
    else:
        path.unlink()

    with pytest.raises(StoreError, match="removed or replaced"):
        await sqlite_store.save(grant("a"), replace(RECORD, version=1))


async def test_removed_lock_file_parts_nobody(sqlite_store, sqlite):
    """A waiter whose lock file was removed holds the one that others will find."""
    lock = sqlite.database.parent / "locks" / f"{grant('a').digest}.lock"
    entered, leave = asyncio.Event(), asyncio.Event()

    async def enter():
        async with sqlite_store.exclusive(grant("a")):
            entered.set()
            await leave.wait()

    async with sqlite_store.exclusive(grant("a")):
        waiter = asyncio.ensure_future(enter())
        await asyncio.sleep(0)  # it has opened the file
        lock.unlink()
    await entered.wait()

    with lock.open() as found:
        assert not lock_descriptor(found.fileno(), blocking=False)
    leave.set()
    await waiter


async def test_copied_descriptor_keeps_nothing(sqlite_store, sqlite):
    """A child that has not yet come from fork to exec keeps no lock of ours."""
    async with sqlite_store.exclusive(grant("a")):
        lock = next((sqlite.database.parent / "locks").iterdir())
        numbers = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 -- numbers
        (held,) = [n for n in numbers if same_file(n, lock)]
        copy = os.dup(held)
    try:
        async with asyncio.timeout(10), sqlite_store.exclusive(grant("a")):
            assert same_file(copy, lock)
    finally:
        os.close(copy)


async def test_lost_lock_folder_is_named(sqlite_store, path):
    """Without the folder of the locks nobody enters, and the error names it."""
    shutil.rmtree(path.parent / "locks")

    with pytest.raises(StoreError, match="locks"):
        async with sqlite_store.exclusive(grant("a")):
            pytest.fail("entered without a lock")


def test_loops_can_share_a_store(sqlite):
    """One store object serves event loops in several threads."""
    store = sqlite.open()

    async def count(name):
        for _ in range(5):
            async with store.exclusive(grant("a")):
                record = await store.load(grant("a")) or Record()
                await store.save(
                    grant("a"), replace(record, issued_at=record.issued_at + 1)
                )
        return await store.load(grant(name))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: asyncio.run(count(name)), "abc"))
    record = asyncio.run(store.load(grant("a")))
    asyncio.run(store.close())

    assert record == Record(version=15, issued_at=15)


async def test_work_asked_for_is_done_before_closing(sqlite):
    """A save that began before `close` is on disk after it."""
    store = sqlite.open()
    save = asyncio.ensure_future(store.save(grant("a"), RECORD))
    await asyncio.sleep(0)
    await store.close()
    await save

    store = sqlite.open()
    record = await store.load(grant("a"))
    await store.close()
    assert record == replace(RECORD, version=1)


async def test_commits_are_durable(sqlite_store):
    """The file is in the mode in which a commit outlives a loss of power."""
    pragmas = {
        name: sqlite_store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync")
    }
    assert pragmas == {"journal_mode": "delete", "synchronous": 3, "fullfsync": 1}


async def test_settings_choose_the_store(sqlite):
    """A path opens the file, its absence keeps everything in memory."""
    in_file = open_store(StoreSettings(sqlite.database, KeySource(sqlite.key.path)))
    in_memory = open_store(StoreSettings(None, None))
    await in_file.close()

    assert isinstance(in_file, SqliteStore)
    assert isinstance(in_memory, MemoryStore)
    assert sqlite.database.exists()


async def test_who_only_looks_makes_nothing(sqlite, tmp_path):
    """Without *make* a store is opened where there is one, and made nowhere."""
    settings = StoreSettings(sqlite.database, KeySource(sqlite.key.path))
    assert isinstance(open_store(settings, make=False), MemoryStore)
    assert list(tmp_path.iterdir()) == []

    sqlite.database.parent.mkdir(0o700)
    sqlite.database.touch(0o600)  # another process is about to make it
    assert isinstance(open_store(settings, make=False), MemoryStore)
    assert sqlite.database.stat().st_size == 0

    await open_store(settings).close()
    found = open_store(settings, make=False)
    await found.close()
    assert isinstance(found, SqliteStore)


def test_who_only_looks_is_told_what_is_in_the_way(sqlite, tmp_path):
    """A store that cannot be looked for is an error, not one that is absent."""
    (tmp_path / "data").write_text("")
    settings = StoreSettings(sqlite.database, KeySource(sqlite.key.path))
    with pytest.raises(StoreError, match="data"):
        open_store(settings, make=False)
