"""Files and keys that a SQLite store must not use, and how it says so."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import StoreError
from stores.behind import RECORD, execute
from stores.places import grant


def test_newer_layout_is_left_alone(closed, sqlite):
    """A file of a layout to come is refused and not one byte of it changes."""
    execute(closed, ("PRAGMA user_version = 2",))
    before = closed.read_bytes()

    with pytest.raises(StoreError, match="newer everbearer"):
        sqlite.open()
    assert closed.read_bytes() == before


def test_foreign_database_is_left_alone(closed, sqlite):
    """Another program's database is refused and not one byte of it changes."""
    closed.unlink()
    execute(closed, ("CREATE TABLE theirs (x)",))
    closed.chmod(0o600)
    before = closed.read_bytes()

    with pytest.raises(StoreError, match="not a store of everbearer"):
        sqlite.open()
    assert closed.read_bytes() == before


def test_what_is_no_database_is_left_alone(closed, sqlite):
    """A file of another sort is refused and not one byte of it changes."""
    closed.write_bytes(b"notes, by no means a database\n" * 40)

    with pytest.raises(StoreError, match="is not a store"):
        sqlite.open()
    assert closed.read_bytes() == b"notes, by no means a database\n" * 40


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_named(closed, sqlite, make):
    """A folder or a pipe in the file's place is refused, and never waited for."""
    closed.unlink()
    make(closed)

    with pytest.raises(StoreError, match="is not a file"):
        sqlite.open()


def test_file_in_the_way_is_named(tmp_path, sqlite):
    """A file where the store's folder should be is named."""
    (tmp_path / "data").write_text("")

    with pytest.raises(StoreError, match=r"data.*(not a folder|not a directory)"):
        sqlite.open()


async def test_interrupted_beginning_is_taken_up(sqlite):
    """An empty file, as a process leaves that died early, becomes a store."""
    sqlite.database.parent.mkdir(0o700)
    sqlite.database.touch(0o600)
    made = sqlite.key.make()
    await sqlite.open().close()

    assert sqlite.key.read() == made


# The key.


def test_missing_key_is_not_made_anew(closed, sqlite):
    """Without its key a store says what is lost, and no other key is made."""
    sqlite.key.path.unlink()
    before = closed.read_bytes()

    with pytest.raises(StoreError, match="the 1 records there") as caught:
        sqlite.open()
    assert str(sqlite.key.path) in caught.value.message
    assert "seed" in caught.value.hint
    assert not sqlite.key.path.exists()
    assert closed.read_bytes() == before


def test_wrong_key_is_named(closed, sqlite):
    """A key that is not the store's is refused at once, by name."""
    sqlite.key.path.unlink()
    sqlite.key.make()

    with pytest.raises(StoreError, match="another key") as caught:
        sqlite.open()
    assert str(sqlite.key.path) in caught.value.message
    assert str(closed) in caught.value.message


async def test_returned_key_opens_again(closed, sqlite):
    """Once the key is back, the records are too."""
    away = sqlite.key.path.rename(sqlite.key.path.with_name("away"))
    with pytest.raises(StoreError):
        sqlite.open()
    away.rename(sqlite.key.path)
    store = sqlite.open()
    record = await store.load(grant("a"))
    await store.close()

    assert record == replace(RECORD, version=1)


def test_store_without_its_check_is_damaged(closed, sqlite):
    """A file that does not tell what its key is like is refused."""
    execute(closed, ("DELETE FROM store",))

    with pytest.raises(StoreError, match="is damaged"):
        sqlite.open()
