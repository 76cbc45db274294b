"""A PostgreSQL server that is verified, or not talked to."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from everbearer.errors import StoreError
from everbearer.sandbox.tls import issue_server, make_authority
from everbearer.secret import Secret
from everbearer.settings.postgres_url import parse
from everbearer.stores.keys import FileKey
from everbearer.stores.postgres import PostgresStore
from everbearer.stores.postgres_server import Server
from everbearer.stores.postgres_session import Timing
from postgres_cluster import Cluster
from renewal import tls_server
from stores.behind import CANARY, RECORD
from stores.places import grant
from stores.postgres_database import execute

pytestmark = pytest.mark.real

FIX = "check sslmode and sslrootcert in store.url, and the server's certificate"


@pytest.fixture(scope="module")
def authority():
    """Return who signed the server's certificate."""
    return make_authority(datetime.now(UTC))


@pytest.fixture(scope="module")
def cluster(authority):
    """Start a server that wants TLS and a password, certified for 127.0.0.1."""
    cluster = Cluster(CANARY, tls=issue_server(authority, datetime.now(UTC)).pem())
    yield cluster
    cluster.remove()


@pytest.fixture
def named(tmp_path, authority):
    """Return what a URL names, with `right.pem` and `wrong.pem` beside it."""
    (tmp_path / "right.pem").write_text(authority.certificate_pem())
    other = make_authority(datetime.now(UTC))
    (tmp_path / "wrong.pem").write_text(other.certificate_pem())

    def read(cluster, query):
        user = f"everbearer:{CANARY}@"
        url = cluster.url.replace("everbearer@", user)
        return parse(f"{url}?{query}", lambda text: tmp_path / text)

    return read


async def test_a_verified_server_keeps_grants(cluster, named, tmp_path):
    """Every session is encrypted, those of a lock and of who listens included."""
    database = named(cluster, "sslmode=verify-full&sslrootcert=right.pem")
    key = FileKey(tmp_path / "store.key")
    PostgresStore.migrate(database, key)
    store = PostgresStore.open(database, key, elsewhere=Path("/nowhere"))
    try:
        await store.generation()
        async with store.exclusive(grant("a")):
            saved = await store.save(grant("a"), RECORD)
            statement = (
                "SELECT count(*), bool_and(ssl) FROM pg_stat_ssl"
                " JOIN pg_stat_activity USING (pid) WHERE application_name = %s"
            )
            ((count, encrypted),) = execute(database, statement, "everbearer")
        assert count >= 2
        assert encrypted
        assert await store.load(grant("a")) == saved
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sslmode=verify-full&sslrootcert=wrong.pem", "has a certificate not trusted"),
        ("sslmode=verify-ca&sslrootcert=wrong.pem", "has a certificate not trusted"),
        ("sslmode=verify-full&sslrootcert=system", "has a certificate not trusted"),
        ("sslmode=verify-full&sslrootcert=none.pem", "no authority"),
    ],
)
async def test_a_server_that_is_not_verified_is_refused(cluster, named, query, message):
    """At the start and later: at once, and with the fix."""
    database = named(cluster, query)
    await refused(database, message)


async def test_a_certificate_of_another_name_is_refused(named, tmp_path):
    """Its authority is the right one, and the server is another."""
    pem = tls_server.certificate(tmp_path, "other.example.com").read_text()
    cluster = Cluster(CANARY, tls=pem)
    try:
        authority = tls_server.authority(tmp_path)
        query = f"sslmode=verify-full&sslrootcert={authority}"
        await refused(named(cluster, query), "has a certificate of another name")
    finally:
        cluster.remove()


async def test_a_server_without_tls_is_refused(named):
    """Nothing is sent in the clear where TLS is wanted."""
    cluster = Cluster()
    try:
        database = named(cluster, "sslmode=verify-full&sslrootcert=right.pem")
        await refused(database, "has no TLS, and sslmode wants it")
    finally:
        cluster.remove()


async def refused(database, message):
    """Neither who waits nor the event loop gets a session; both are told the fix."""
    assert database.password == Secret(CANARY)
    key = FileKey(Path("/nowhere/store.key"))
    with pytest.raises(StoreError, match=message) as blocking:
        PostgresStore.open(database, key, elsewhere=Path("/nowhere"))
    async with asyncio.timeout(20):
        with pytest.raises(StoreError, match=message) as later:
            await Server(database, Timing()).connect(float("inf"))
    for caught in (blocking, later):
        assert caught.value.hint == FIX
        assert CANARY not in f"{caught.value!r} {caught.value.hint}"
