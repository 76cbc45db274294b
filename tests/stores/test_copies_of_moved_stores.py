"""Emergency copies are found by their store, wherever that has gone."""

from dataclasses import replace

import pytest

from everbearer.secret import Secret
from everbearer.stores.contract import Intent, Record
from everbearer.stores.postgres import PostgresStore
from everbearer.stores.rescue import Rescue, apart
from everbearer.stores.sqlite import SqliteStore
from stores.places import grant

COPY = Record(
    version=1, refresh_token=Secret("new"), intent=Intent(1.0, "0123456789ab")
)


async def copies(store):
    """Return the copies that a store finds, and close it."""
    found = await store.rescued(grant("a"))
    await store.close()
    return [copy.record for copy in found.copies]


@pytest.fixture
def elsewhere(tmp_path):
    """Return a folder of the user's."""
    return tmp_path / "state" / "rescue"


async def test_the_copy_of_a_sqlite_file_that_was_moved(sqlite, elsewhere):
    """It lies in the user's folder: found from the file's new place."""
    store = SqliteStore.open(sqlite.database, sqlite.key, elsewhere=elsewhere)
    blocked = sqlite.database.parent / "rescue"
    blocked.write_text("")
    where = await store.rescue(grant("a"), COPY)
    await store.close()
    assert where.startswith(str(elsewhere))
    blocked.unlink()

    moved = sqlite.database.parent.rename(sqlite.folder / "moved")
    path = (moved / "tokens.db").rename(moved / "other.db")
    store = SqliteStore.open(path, sqlite.key, elsewhere=elsewhere)
    assert await copies(store) == [COPY]


async def test_a_copy_that_is_filed_by_the_path(sqlite, elsewhere):
    """An older everbearer has written it: found while the file is where it was."""
    store = SqliteStore.open(sqlite.database, sqlite.key, elsewhere=elsewhere)
    place = apart(elsewhere, str(sqlite.database.resolve()))
    Rescue((place,), store._cipher).write(grant("a"), COPY)
    assert await copies(store) == [COPY]


@pytest.mark.real
async def test_the_copy_of_a_database_with_another_address(postgres, elsewhere):
    """It failed over, and store.url names another host: the copy is found."""
    here = postgres.open()
    await here.close()
    here = PostgresStore.open(postgres.database, postgres.key, elsewhere=elsewhere)
    await here.rescue(grant("a"), COPY)
    await here.close()

    host = postgres.database.host
    if host.startswith("/"):
        other = f"{host}/."
    else:
        other = "localhost" if host == "127.0.0.1" else f"{host}."
    moved = replace(postgres.database, host=other)
    there = PostgresStore.open(moved, postgres.key, elsewhere=elsewhere)
    assert await copies(there) == [COPY]


@pytest.mark.real
async def test_a_copy_that_is_filed_by_the_url(postgres, elsewhere):
    """An older everbearer has written it: found while the URL is what it was."""
    await postgres.open().close()
    store = PostgresStore.open(postgres.database, postgres.key, elsewhere=elsewhere)
    place = apart(elsewhere, str(postgres.database))
    Rescue((place,), store._cipher).write(grant("a"), COPY)
    assert await copies(store) == [COPY]
