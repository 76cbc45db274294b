"""
A PostgreSQL server that tests share, and a database of each test process there.

$EVERBEARER_TEST_POSTGRES names the server by a URL whose user may make databases.
"""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import quote

from everbearer.errors import StoreError
from everbearer.settings.model import PostgresSettings
from everbearer.settings.postgres_url import parse
from everbearer.stores.postgres_server import connect_blocking
from everbearer.stores.postgres_session import Timing

DEFAULT = "postgresql://postgres@127.0.0.1:5432/test"
RUN = "EVERBEARER_TEST_RUN"
"""The variable that tells one test run's databases from another's."""


def server() -> PostgresSettings:
    """Return the server, as the URL of one of its databases."""
    return parse(os.environ.get("EVERBEARER_TEST_POSTGRES", DEFAULT), Path)


@cache
def missing() -> str:
    """Return why there is no server; "" where there is one."""
    try:
        connect_blocking(server(), Timing()).close()
    except StoreError as error:
        return error.message
    return ""


def own_database() -> PostgresSettings:
    """Return the database of this test process and the processes that it starts."""
    return replace(server(), database=f"everbearer_test_{os.environ[RUN]}")


@cache
def make() -> None:
    """Make the database of this test process, once."""
    with administration() as connection:
        connection.execute(
            f"CREATE DATABASE {own_database().database} TEMPLATE template0"
        )


def empty(database: PostgresSettings) -> None:
    """Take the store out of the database, and end who still uses it."""
    with connect_blocking(database, Timing(statement=60.0)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS everbearer CASCADE")


def remove() -> None:
    """Remove the database of this test process, if it was made, whoever uses it."""
    if make.cache_info().currsize:
        with administration() as connection:
            connection.execute(
                f"DROP DATABASE IF EXISTS {own_database().database} WITH (FORCE)"
            )


def administration():
    """Connect to the server, to make and remove databases."""
    return connect_blocking(server(), Timing(statement=60.0))


def execute(database: PostgresSettings, statement: str, *values: object):
    """Change a database behind the store's back; return what is selected."""
    with connect_blocking(database, Timing()) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


def url(database: PostgresSettings) -> str:
    """Return the database's URL, password and all."""
    password = database.password
    secret = f":{quote(password.reveal(), safe='')}" if password else ""
    return str(database).replace("@", f"{secret}@", 1)
