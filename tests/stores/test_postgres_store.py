"""What a PostgreSQL store does beside what every store promises."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import StoreConflict, StoreError
from everbearer.secret import Secret
from everbearer.settings.model import KeySource, PostgresSettings, StoreSettings
from everbearer.stores import migrate_store, open_store
from everbearer.stores.cipher import new_key
from everbearer.stores.codec import encode
from everbearer.stores.keys import EnvKey, FileKey
from everbearer.stores.postgres import PostgresStore, lock_number
from everbearer.stores.postgres_line import News
from everbearer.stores.postgres_server import (
    Server,
    check_server,
    connect_blocking,
)
from everbearer.stores.postgres_session import Timing
from everbearer.tasks import Tasks
from stores.behind import CANARY, RECORD
from stores.places import grant, newer
from stores.postgres_database import administration, execute

NAME = "postgresql://u@h:1/d"
SAVED = replace(RECORD, version=1)

pytestmark = pytest.mark.real


@pytest.fixture
def store(opened, postgres):
    """Open the place."""
    return opened(postgres)


@pytest.fixture
def database(store, postgres):
    """Return the database of an open store."""
    return postgres.database


def opened_at(database, key):
    """Open the store there; no emergency copy is written."""
    return PostgresStore.open(database, key, elsewhere=Path("/nowhere"))


def sealed(database, name="a"):
    """Return what the database holds for a grant."""
    ((blob,),) = execute(
        database,
        "SELECT sealed FROM everbearer.records WHERE digest = %s",
        grant(name).digest,
    )
    return blob


def holders(database, name="a"):
    """Return the processes of the server whose sessions hold a grant's lock."""
    number = lock_number(grant(name).digest) % 2**64
    return execute(
        database,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND classid::bigint = %s AND objid::bigint = %s AND objsubid = 1"
        " AND database = (SELECT oid FROM pg_database"
        "  WHERE datname = current_database())",
        number >> 32,
        number % 2**32,
    )


async def waiting(database, kind, count=1):
    """Return when so many sessions wait for a lock of that kind."""
    statement = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s"
    async with asyncio.timeout(20):
        while await asyncio.to_thread(execute, database, statement, kind) != [(count,)]:
            pass


# -- making, migrating, opening ---------------------------------------------


def test_store_is_made_by_migrate_alone(postgres):
    """Opening a database that was never migrated makes nothing, and says how to."""
    with pytest.raises(StoreError, match="never migrated") as caught:
        opened_at(postgres.database, postgres.key)
    assert caught.value.hint == "run: everbearer store migrate"
    assert not postgres.key.path.exists()

    assert "made the store" in PostgresStore.migrate(postgres.database, postgres.key)
    assert postgres.key.path.exists()
    told = PostgresStore.migrate(postgres.database, postgres.key)
    assert told.startswith("nothing to do")


async def test_settings_lead_to_the_database(postgres):
    """What the configuration names is migrated and opened, by its URL's scheme."""
    key = KeySource(file=postgres.key.path)
    settings = StoreSettings(None, key, postgres.folder / "rescue", postgres.database)
    migrate_store(settings)
    store = open_store(settings)

    assert isinstance(store, PostgresStore)
    await store.close()


@pytest.mark.parametrize(
    ("layout", "message", "hint"),
    [
        (2, "newer everbearer", "use the newer everbearer"),
        (0, "older layout", "everbearer store migrate"),
    ],
)
async def test_another_layout_is_left_alone(
    store, database, postgres, layout, message, hint
):
    """Neither opened, nor migrated back, nor written by who had it open before."""
    await store.save(grant("a"), RECORD)
    execute(database, "UPDATE everbearer.store SET layout = %s", layout)
    before = sealed(database)

    for use in (opened_at, PostgresStore.migrate):
        with pytest.raises(StoreError, match=message) as caught:
            use(database, postgres.key)
        assert hint in caught.value.hint
    for name, record in (("a", SAVED), ("b", RECORD)):
        with pytest.raises(StoreError, match=message):
            await store.save(grant(name), record)
    assert sealed(database) == before
    assert execute(database, "SELECT count(*) FROM everbearer.records") == [(1,)]


def test_a_foreign_schema_is_left_alone(postgres):
    """A schema of that name with other tables is somebody else's."""
    execute(postgres.database, "CREATE SCHEMA everbearer")
    execute(postgres.database, "CREATE TABLE everbearer.mine ()")
    with pytest.raises(StoreError, match="not a store's"):
        PostgresStore.migrate(postgres.database, postgres.key)
    assert not postgres.key.path.exists()


def test_an_empty_schema_is_used(postgres):
    """A schema that an administrator has made beforehand is filled."""
    execute(postgres.database, "CREATE SCHEMA everbearer")
    assert "made" in PostgresStore.migrate(postgres.database, postgres.key)


def test_a_wrong_key_opens_nothing(store, database, tmp_path):
    """Another key, one of another kind and a missing one are told apart."""
    other = FileKey(tmp_path / "other" / "store.key")
    with pytest.raises(StoreError, match="is missing"):
        opened_at(database, other)
    assert not other.path.exists()

    other.make()
    for use in (opened_at, PostgresStore.migrate):
        with pytest.raises(StoreError, match="another key"):
            use(database, other)
    with pytest.raises(StoreError, match="of the kind file"):
        opened_at(database, EnvKey("K", {"K": new_key().reveal()}))


async def test_key_of_the_environment(postgres):
    """Machines that have the same variable share the store; none is made."""
    with pytest.raises(StoreError, match="no STORE_KEY"):
        PostgresStore.migrate(postgres.database, EnvKey("STORE_KEY", {}))
    with pytest.raises(StoreError, match="never migrated"):
        opened_at(postgres.database, EnvKey("STORE_KEY", {}))

    key = EnvKey("STORE_KEY", {"STORE_KEY": new_key().reveal()})
    PostgresStore.migrate(postgres.database, key)
    stores = [opened_at(postgres.database, key) for _ in range(2)]
    await stores[0].save(grant("a"), RECORD)
    assert await stores[1].load(grant("a")) == SAVED
    for store in stores:
        await store.close()


async def test_a_store_replaced_while_in_use_is_noticed(store, database, postgres):
    """Nothing is sealed with the old key where another store stands now."""
    await store.save(grant("a"), RECORD)
    postgres.empty()
    postgres.key.path.unlink()
    PostgresStore.migrate(database, postgres.key)

    with pytest.raises(StoreError, match="replaced while in use"):
        await store.save(grant("b"), RECORD)
    with pytest.raises(StoreError, match="replaced while in use"):
        async with store.exclusive(grant("a")):
            pytest.fail("entered")


async def test_a_role_without_rights_is_told_so(store, database, postgres):
    """Who may connect and not use the schema gets the statements that allow it."""
    await store.save(grant("a"), RECORD)
    role = f"{database.database}_reader"
    with administration() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
    try:
        stranger = replace(database, user=role)
        with pytest.raises(StoreError, match="does not let its role") as caught:
            opened_at(stranger, postgres.key)
        assert "GRANT USAGE ON SCHEMA everbearer" in caught.value.hint

        execute(database, f"GRANT USAGE ON SCHEMA everbearer TO {role}")
        execute(database, f"GRANT SELECT ON ALL TABLES IN SCHEMA everbearer TO {role}")
        reader = opened_at(stranger, postgres.key)
        assert await reader.load(grant("a")) == SAVED
        with pytest.raises(StoreError, match="does not let its role"):
            await reader.save(grant("a"), SAVED)
        await reader.close()
    finally:
        execute(database, f"DROP OWNED BY {role}")
        with administration() as connection:
            connection.execute(f"DROP ROLE {role}")


# -- what is at rest ---------------------------------------------------------


async def test_nothing_readable_reaches_the_server(store, database):
    """No token is in any column of any table."""
    await store.save(grant("a"), RECORD)
    rows = execute(database, "SELECT r::text FROM everbearer.records r")
    rows += execute(database, "SELECT s::text FROM everbearer.store s")
    told = " ".join(text for (text,) in rows)
    assert CANARY not in told
    assert CANARY.encode().hex() not in told


@pytest.mark.parametrize(
    "change",
    [
        "sealed = ''",
        "sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)",
        "version = 2",
        "schema = 0",
    ],
)
async def test_an_altered_row_is_refused_and_kept(store, database, change):
    """A row that was altered does not open and is not overwritten; others are well."""
    await store.save(grant("a"), RECORD)
    await store.save(grant("b"), RECORD)
    key = grant("a").digest
    execute(database, f"UPDATE everbearer.records SET {change} WHERE digest = %s", key)
    altered = sealed(database)

    for version in (0, 1, 2):
        with pytest.raises(StoreError, match=key[:8]):
            await store.save(grant("a"), replace(RECORD, version=version))
    with pytest.raises(StoreError, match="does not authenticate") as caught:
        await store.load(grant("a"))
    assert f"digest = '{key}'" in caught.value.hint
    assert sealed(database) == altered
    assert await store.load(grant("b")) == SAVED
    flaws = {each.digest: each.flaw for each in await store.examine()}
    assert flaws[grant("b").digest] is None
    assert "does not authenticate" in str(flaws[key])


async def test_swapped_rows_are_refused(store, database):
    """Two grants' rows with their digests exchanged open for neither."""
    await store.save(grant("a"), RECORD)
    await store.save(grant("b"), RECORD)
    one, other = sealed(database, "a"), sealed(database, "b")
    for name, blob in (("a", other), ("b", one)):
        execute(
            database,
            "UPDATE everbearer.records SET sealed = %s WHERE digest = %s",
            blob,
            grant(name).digest,
        )
    for name in "ab":
        with pytest.raises(StoreError, match="does not authenticate"):
            await store.load(grant(name))


async def test_a_newer_record_is_left_alone(store, database):
    """A record of a schema to come is refused by load and save, and not changed."""
    await store.save(grant("a"), RECORD)
    later = store._cipher.seal(encode(RECORD), b"of a later everbearer")
    execute(database, "UPDATE everbearer.records SET schema = 9, sealed = %s", later)

    for use in (store.load(grant("a")), store.save(grant("a"), SAVED)):
        with pytest.raises(StoreError, match="newer everbearer"):
            await use
    assert sealed(database) == later


# -- sessions ------------------------------------------------------------------


async def test_sessions_are_durable_and_bounded(store, database):
    """A role's own settings do not weaken what a session of ours begins with."""
    with administration() as connection:
        for setting in (
            "synchronous_commit = off",
            "default_transaction_read_only = on",
            "statement_timeout = '1ms'",
            "idle_session_timeout = '1ms'",
        ):
            name = database.database
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
    try:
        assert await store.save(grant("a"), RECORD) == SAVED
        found = await store._reading.run(
            lambda session: session.fetch(
                "SELECT current_setting('synchronous_commit'),"
                " current_setting('statement_timeout'),"
                " current_setting('search_path'),"
                " current_setting('idle_session_timeout')"
            )
        )
        assert found == [("on", "10s", "", "0")]
    finally:
        with administration() as connection:
            connection.execute(f"ALTER DATABASE {database.database} RESET ALL")


async def test_stronger_durability_stays(store, database):
    """A server that waits for its standbys to apply goes on doing so."""
    with administration() as connection:
        connection.execute(
            f"ALTER DATABASE {database.database} SET synchronous_commit = remote_apply"
        )
    try:
        show = "SELECT current_setting('synchronous_commit')"
        found = await store._reading.run(lambda session: session.fetch(show))
        assert found == [("remote_apply",)]
    finally:
        with administration() as connection:
            connection.execute(f"ALTER DATABASE {database.database} RESET ALL")


def test_a_server_that_will_not_do_is_refused():
    """An old PostgreSQL and a pooler cannot free a lock when its holder is cut off."""
    with pytest.raises(StoreError, match="PostgreSQL 13, too old"):
        check_server(NAME, 1, 1, 130014, standby=False)
    with pytest.raises(StoreError, match="behind a pooler"):
        check_server(NAME, 1, 2, 150001, standby=False)
    with pytest.raises(StoreError, match="is a standby"):
        check_server(NAME, 1, 1, 140000, standby=True)
    check_server(NAME, 1, 1, 140000, standby=False)


async def test_cancelled_save_ends_first(store, database):
    """A save that is cancelled, even twice, raises once the row is at rest."""
    await store.save(grant("a"), RECORD)
    with connect_blocking(database, Timing()) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE everbearer.records IN EXCLUSIVE MODE")
        save = asyncio.ensure_future(store.save(grant("a"), SAVED))
        await waiting(database, "relation")
        for _ in range(2):
            save.cancel()
            await asyncio.sleep(0)
            assert not save.done()
        other.execute("COMMIT")
    await asyncio.wait([save])

    assert save.cancelled()
    assert (await store.load(grant("a"))).version == 2


async def test_waiters_enter_in_their_order(store, database):
    """The lock is a queue: who asked first enters first."""
    order = []

    async def enter(number):
        async with store.exclusive(grant("a")):
            order.append(number)

    async with store.exclusive(grant("a")):
        waiters = []
        for number in range(4):
            waiters.append(asyncio.ensure_future(enter(number)))
            await waiting(database, "advisory", count=number + 1)
    await asyncio.gather(*waiters)

    assert order == [0, 1, 2, 3]


async def test_a_lost_lock_is_taken_again_before_a_save(store, database):
    """A holder whose session has ended locks on another before it saves."""
    async with store.exclusive(grant("a")):
        ((first,),) = holders(database)
        execute(database, "SELECT pg_terminate_backend(%s)", first)
        saved = await store.save(grant("a"), RECORD)
        ((second,),) = holders(database)

    assert saved == SAVED
    assert second != first


async def test_who_lost_the_lock_waits_for_who_has_it(
    store, opened, postgres, database
):
    """A holder that lost its lock saves after the next holder, and then conflicts."""
    other = opened(postgres)
    async with store.exclusive(grant("a")):
        ((first,),) = holders(database)
        execute(database, "SELECT pg_terminate_backend(%s)", first)
        async with other.exclusive(grant("a")):
            late = asyncio.ensure_future(save_as(store, asyncio.current_task()))
            await waiting(database, "advisory")
            assert await other.save(grant("a"), RECORD) == SAVED
            assert not late.done()
        with pytest.raises(StoreConflict):
            await late
    assert await store.load(grant("a")) == SAVED


async def save_as(store, holder):
    """Save as the task that entered would."""
    digest = grant("a").digest
    store._held[digest, asyncio.current_task()] = store._held[digest, holder]
    try:
        return await store.save(grant("a"), RECORD)
    finally:
        del store._held[digest, asyncio.current_task()]


async def test_a_silent_holder_loses_its_lock(opened, postgres):
    """The server ends a lock's session that is silent for so long, and no other."""
    silent = opened(replace(postgres, timing=Timing(idle=0.5, beat=3600.0)))
    beating = opened(replace(postgres, timing=Timing(idle=0.5, beat=0.1)))
    database = postgres.database

    async with asyncio.timeout(30), silent.exclusive(grant("a")):  # noqa: SIM117 -- in turn
        async with beating.exclusive(grant("a")):
            ((pid,),) = holders(database)
            aged = (
                "SELECT now() - backend_start > '2s' FROM pg_stat_activity"
                " WHERE pid = %s"
            )
            while (told := await asyncio.to_thread(execute, database, aged, pid)) == [
                (False,)
            ]:
                assert holders(database) == [(pid,)]
            assert told == [(True,)]


# -- news -----------------------------------------------------------------------


async def test_generation_is_known_without_asking(store, database):
    """While who listens is well, the answer is in memory; when not, it is asked for."""
    asked = 0

    async def ask():
        nonlocal asked
        asked += 1
        return -asked

    timing = Timing(quiet=60.0)
    news = News(Server(database, timing), timing, ask, Tasks())
    async with asyncio.timeout(20):
        await told(news, lambda count: count >= 0)
        before = asked
        for count in (1, 2):
            await store.save(grant("a"), replace(RECORD, version=count - 1))
            await told(news, count.__eq__)
        assert asked == before

        execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query LIKE %s",
            "%sum(version)%",
        )
        await told(news, lambda count: count < 0)
    await news.close()


async def told(news, wanted):
    """Return when the generation is one that is wanted."""
    while not wanted(await news.generation()):  # noqa: ASYNC110 -- managers ask, too
        await asyncio.sleep(0)


async def test_own_save_is_known_at_once(store):
    """After a save of this object the next generation is another one."""
    before = await newer(store, -1)
    await store.save(grant("a"), RECORD)
    assert await store.generation() != before


# -- what is told -----------------------------------------------------------------


def test_no_password_is_told(tmp_path):
    """Errors, names and representations of a database that is away hold no password."""
    away = PostgresSettings(
        "127.0.0.1", 9, "me", "db", Secret(CANARY), (("sslmode", "disable"),)
    )
    with pytest.raises(StoreError, match="no connection") as caught:
        opened_at(away, FileKey(tmp_path / "key"))
    error = caught.value
    told = f"{error} {error!r} {error.hint} {away} {away!r} {error.__cause__}"
    assert CANARY not in told
    assert "postgresql://me@127.0.0.1:9/db" in error.message


def test_missing_library_is_told():
    """Without the extra, the error has the command that installs it."""
    program = """
import sys; sys.modules["psycopg"] = None
from pathlib import Path
from everbearer.errors import StoreError
from everbearer.settings.model import KeySource, PostgresSettings, StoreSettings
from everbearer.stores import open_store
try:
    database = PostgresSettings("h", 1, "u", "d")
    open_store(StoreSettings(None, KeySource(env="K"), Path("rescue"), database))
except StoreError as error:
    print(error.message, error.hint)
"""
    told = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert "psycopg is not installed" in told
    assert "pip install 'everbearer[postgres]'" in told


def test_other_stores_do_not_import_it():
    """The library is imported for who keeps grants there, and for nobody else."""
    program = "import everbearer.stores, sys; print('psycopg' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program]) == b"False\n"
