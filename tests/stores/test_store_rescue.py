"""Emergency copies: what every store promises, and what those on disk are like."""

import asyncio
import os
import sqlite3
import stat
from dataclasses import replace

import pytest

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores.cipher import Cipher, new_key
from everbearer.stores.contract import Copy, Intent, Record, Rescued
from everbearer.stores.rescue import Rescue, apart
from stores.behind import CANARY
from stores.places import grant

COPY = Record(
    version=3,
    access_token=Secret(CANARY),
    expires_at=2.0,
    refresh_token=Secret(CANARY[::-1]),
    intent=Intent(1.0, "0123456789ab"),
)


@pytest.fixture
def store(opened, place):
    """Open the place."""
    return opened(place)


@pytest.fixture
def cipher():
    """Return a cipher with a key of its own."""
    return Cipher(new_key())


@pytest.fixture
def places(tmp_path):
    """Return two places in folders that are missing."""
    return tmp_path / "a" / "rescue" / "t.db", apart(tmp_path / "b" / "rescue", "t.db")


@pytest.fixture
def rescue(places, cipher):
    """Return the copies in these places."""
    return Rescue(places, cipher)


def every(_):
    """Whatever it is."""
    return True


def paths(places, name="a"):
    """Return where the copies of a grant may lie."""
    return [place.with_name(f"{place.name}.{grant(name).digest}") for place in places]


async def test_copy_comes_back_whole(store, opened, place):
    """What one store object wrote another reads, version and intent included."""
    assert await store.rescued(grant("a")) == Rescued()
    where = await store.rescue(grant("a"), COPY)

    assert await opened(place).rescued(grant("a")) == Rescued((Copy(COPY, where),))
    assert await store.rescued(grant("b")) == Rescued()


async def test_copy_is_no_record(store):
    """Record, version and generation of the store are what they were."""
    before = await store.generation()
    await store.rescue(grant("a"), COPY)

    assert await store.load(grant("a")) is None
    assert await store.generation() == before


async def test_later_copy_replaces_that_of_the_same_refresh_token(store):
    """One copy is kept of each."""
    await store.rescue(grant("a"), COPY)
    later = replace(COPY, version=2, issued_at=9.0)
    where = await store.rescue(grant("a"), later)

    assert await store.rescued(grant("a")) == Rescued((Copy(later, where),))


async def test_forgotten_copy_is_gone(store):
    """After it nothing is there, and forgetting nothing is no error."""
    await store.rescue(grant("a"), COPY)
    await store.rescue(grant("b"), COPY)
    for _ in range(2):
        await store.forget_rescued(grant("a"), every)

    assert await store.rescued(grant("a")) == Rescued()
    assert (await store.rescued(grant("b"))).copies[0].record == COPY


async def test_copies_of_two_refresh_tokens_are_both_kept(store):
    """Nobody knows which is needed: neither replaces the other, the newer is first."""
    other = replace(COPY, version=9, refresh_token=Secret("other"))
    await store.rescue(grant("a"), COPY)
    await store.rescue(grant("a"), other)

    found = await store.rescued(grant("a"))
    assert [copy.record for copy in found.copies] == [other, COPY]


async def test_only_what_is_forgettable_is_removed(store):
    """The copy of another holder stays, with the place that it has."""
    other = replace(COPY, version=9, refresh_token=Secret("other"))
    await store.rescue(grant("a"), COPY)
    where = await store.rescue(grant("a"), other)
    await store.forget_rescued(grant("a"), COPY.__eq__)

    assert await store.rescued(grant("a")) == Rescued((Copy(other, where),))


async def test_copy_survives_a_kill(shared_place, opened, start):
    """A process that is killed as soon as `rescue` returned has written it."""
    worker = await start(shared_place.folder)
    await worker.ask("open")
    where = await worker.ask("rescue", "a", "token")
    await worker.kill()

    found = await opened(shared_place).rescued(grant("a"))
    assert found == Rescued((Copy(Record(access_token=Secret("token")), where),))


async def test_copy_lies_beside_the_store(sqlite, sqlite_store):
    """A SQLite store has them in `rescue/`, which is made with the first."""
    folder = sqlite.database.parent / "rescue"
    assert not folder.exists()
    where = await sqlite_store.rescue(grant("a"), COPY)

    assert where == str(folder / f"tokens.db.{grant('a').digest}")


async def test_copy_is_written_while_the_store_cannot_be(sqlite, sqlite_store):
    """The database file is gone: the save fails, the copy does not."""
    await sqlite_store.save(grant("a"), Record())
    sqlite.database.unlink()
    with pytest.raises(StoreError):
        await sqlite_store.save(grant("a"), replace(COPY, version=1))
    await sqlite_store.rescue(grant("a"), COPY)

    # The key is another file: the next store opens what this one sealed.
    after = sqlite.open()
    assert (await after.rescued(grant("a"))).copies[0].record == COPY
    await after.close()


async def test_copy_is_written_while_a_save_hangs(sqlite, sqlite_store):
    """Another program holds the database: the copy does not wait for it."""
    holder = sqlite3.connect(sqlite.database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        saving = asyncio.ensure_future(sqlite_store.save(grant("a"), Record()))
        await asyncio.sleep(0)
        await sqlite_store.rescue(grant("a"), COPY)
        found = await sqlite_store.rescued(grant("a"))
        assert not saving.done()
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    await saving

    assert found.copies[0].record == COPY


def test_nobody_else_can_read_a_copy(rescue, places, umask):
    """Whatever the umask: 0600 in 0700 folders, sealed."""
    rescue.write(grant("a"), COPY)
    (path, _) = paths(places)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in path.parent, path.parent.parent:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 -- names
    content = path.read_text()
    assert CANARY not in content
    assert CANARY[::-1] not in content


def test_second_place_takes_what_the_first_cannot(rescue, places, tmp_path):
    """A file lies in the first folder's way: the other has the copy."""
    (tmp_path / "a").write_text("")
    where = rescue.write(grant("a"), COPY)

    assert where == str(paths(places)[1])
    found = rescue.read(grant("a"))
    assert found.copies == (Copy(COPY, where),)
    rescue.forget(grant("a"), every)
    assert rescue.read(grant("a")).copies == ()


def test_where_no_place_takes_it_all_reasons_are_told(rescue, tmp_path):
    """The error names each place."""
    for name in "ab":
        (tmp_path / name).write_text("")
    with pytest.raises(StoreError) as caught:
        rescue.write(grant("a"), COPY)

    for name in "ab":
        assert str(tmp_path / name / "rescue") in caught.value.message


def test_the_newest_of_two_copies_is_first(places, cipher):
    """Both places have one: the one from the later version."""
    newer = replace(COPY, version=4)
    for place, record in zip(places, (COPY, newer), strict=True):
        Rescue((place,), cipher).write(grant("a"), record)

    for order in places, places[::-1]:
        found = Rescue(order, cipher).read(grant("a")).copies
        assert [copy.record for copy in found] == [newer, COPY]


def damage(path):
    """Change one byte of the sealed part."""
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def swap(path):
    """Give it another version."""
    path.write_text(path.read_text().replace('"version": 3', '"version": 4'))


BREACHES = {
    "damaged": damage,
    "another version": swap,
    "empty": lambda path: path.write_text(""),
    "no object": lambda path: path.write_text("[]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "huge": lambda path: path.write_text('{"version": 1e999}'),
    "another grant's": lambda path: path.with_name(
        path.name.replace(grant("a").digest, grant("b").digest)
    ).replace(path),
    "others' to read": lambda path: path.chmod(0o644),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: path.replace(path.with_name("x")) and path.symlink_to("x"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES)
def test_unreadable_copy_is_reported_and_left(rescue, places, breach):
    """It is neither believed nor overwritten nor removed; another is beside it."""
    for name in "ab":
        rescue.write(grant(name), COPY)
    path = paths(places)[0]
    breach(path)
    before = path.lstat()

    found = rescue.read(grant("a"))
    assert found.copies == ()
    (error,) = found.unreadable
    assert str(path) in error.message
    assert error.hint

    rescue.forget(grant("a"), every)
    later = replace(COPY, version=7)
    where = rescue.write(grant("a"), later)
    assert where == f"{path}.1"
    found = rescue.read(grant("a"))
    assert found.copies == (Copy(later, where),)
    assert len(found.unreadable) == 1
    after = path.lstat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_copy_of_another_key_does_not_open(rescue, places):
    """Another store's key: reported."""
    rescue.write(grant("a"), COPY)
    found = Rescue(places, Cipher(new_key())).read(grant("a"))

    assert found.copies == ()
    assert "does not authenticate" in found.unreadable[0].message


def test_copy_of_a_newer_everbearer_is_left_to_it(rescue, places):
    """Its schema is not ours to read."""
    rescue.write(grant("a"), COPY)
    path = paths(places)[0]
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))

    (error,) = rescue.read(grant("a")).unreadable
    assert "newer everbearer" in error.message
    assert "use the newer everbearer" in error.hint


async def test_two_stores_in_one_folder_keep_their_copies_apart(sqlite, opened):
    """Their files are named after them."""
    other = type(sqlite)(sqlite.folder)
    store = opened(sqlite)
    await store.rescue(grant("a"), COPY)
    neighbour = type(store).open(
        other.database.with_name("other.db"), sqlite.key, elsewhere=None
    )
    assert await neighbour.rescued(grant("a")) == Rescued()
    await neighbour.close()


async def test_cancelled_rescue_leaves_a_whole_copy_or_none(sqlite_store):
    """Whoever is cancelled while writing has ended it."""
    task = asyncio.ensure_future(sqlite_store.rescue(grant("a"), COPY))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    found = await sqlite_store.rescued(grant("a"))
    assert found.unreadable == ()
    assert [copy.record for copy in found.copies] in ([], [COPY])
