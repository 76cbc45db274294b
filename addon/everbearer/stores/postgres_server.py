"""
How a PostgreSQL server is reached, and what every session there begins with.

Sessions are taken straight from the server: behind a pooler a lock would not die
with its holder. So that a session whose network was cut does not outlive it for
long, both ends probe the connection, and the server ends a lock's session that
has been silent for `Timing.idle`.
"""

from __future__ import annotations

import asyncio
import copy
from secrets import SystemRandom
from typing import TYPE_CHECKING, Any, Final, Protocol

import psycopg

from everbearer.errors import StoreError
from everbearer.stores.postgres_errors import failed, too_late, unreachable
from everbearer.stores.postgres_session import Session, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.secret import Secret

OLDEST: Final = 14
"""The major version that brought idle_session_timeout."""

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0

# Whatever the role, the database or the environment says otherwise.
_SETTINGS: Final[Mapping[str, str]] = {
    "search_path": "",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "30s",
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
# A commit is on disk (and on a synchronous standby's) before it is told; what the
# server has stronger than that stays.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', CASE current_setting("
    "'synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,"
    " false), pg_backend_pid(), current_setting('server_version_num')::integer,"
    " pg_is_in_recovery()"
)


class Database(Protocol):
    """A database and how to come in; `str()` names it, without its secrets."""

    @property
    def host(self) -> str:
        """A name, an address, or the folder of a socket."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def user(self) -> str:
        """The role."""

    @property
    def database(self) -> str:
        """Its name."""

    @property
    def password(self) -> Secret | None:
        """The role's."""

    @property
    def tls(self) -> tuple[tuple[str, str], ...]:
        """Parameters of TLS, by libpq's names."""


class Server:
    """Opens sessions; one that fails makes the next ones wait, longer and longer."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing
        self._random = SystemRandom()
        self._failures = 0
        self._not_before = 0.0
        self._refusal = StoreError(f"{database} cannot be reached")

    async def connect(self, until: float, *, idle: float = 0.0) -> Session:
        """
        Return a new session, trying until *until* (the loop's time).

        The server ends it after *idle* seconds without a statement (0: never).
        Raises StoreError, at once for what does not pass by itself.
        """
        clock = asyncio.get_running_loop().time
        while True:
            if self._not_before > until:
                raise copy.copy(self._refusal)
            if (pause := self._not_before - clock()) > 0:
                await asyncio.sleep(pause)
                continue  # others may have failed meanwhile
            try:
                session = await self._connect(idle)
            except _PassingError as error:
                self._refuse(error.cause, clock())
            except StoreError as error:
                self._refuse(error, clock())
                raise
            else:
                self._failures = 0
                return session

    def _refuse(self, error: StoreError, now: float) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 8))
        self._failures += 1
        self._not_before = now + pause * self._random.uniform(0.5, 1.0)
        self._refusal = error

    async def _connect(self, idle: float) -> Session:
        name = str(self._database)
        try:
            async with asyncio.timeout(self._timing.answer):
                connection = await psycopg.AsyncConnection.connect(
                    **parameters(self._database, self._timing, idle)
                )
        except asyncio.CancelledError as error:
            # Its frames hold the socket of the connection that was being made.
            raise error.with_traceback(None) from None
        except TimeoutError:
            raise _PassingError(too_late(name)) from None
        except psycopg.Error as error:
            refusal, passes = unreachable(name, error)
            raise (_PassingError(refusal) if passes else refusal) from None
        session = Session(connection, name, self._timing)
        try:
            ((_, pid, version, standby),) = await session.fetch(_DURABLE)
            told = connection.info.backend_pid
            check_server(name, told, pid, version, standby=standby)
        except BaseException:
            await session.close()
            raise
        return session


class _PassingError(Exception):
    def __init__(self, cause: StoreError) -> None:
        super().__init__()
        self.cause = cause


def connect_blocking(
    database: Database, timing: Timing
) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection for who may wait; raises StoreError."""
    name = str(database)
    try:
        connection = psycopg.connect(**parameters(database, timing))
    except psycopg.Error as error:
        raise unreachable(name, error)[0] from None
    try:
        ((_, pid, version, standby),) = connection.execute(_DURABLE).fetchall()
        told = connection.info.backend_pid
        check_server(name, told, pid, version, standby=standby)
    except psycopg.Error as error:
        connection.close()
        raise failed(name, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def check_server(
    name: str, told: int, real: int, version: int, *, standby: bool
) -> None:
    """
    Raise StoreError where sessions there are not what locks need.

    *told* is the server's process as the connection's begin named it, *real* as
    the server does itself: a pooler makes up the first.
    """
    if standby:
        raise StoreError(
            f"{name} takes no writes: it is a standby",
            hint="name the primary in store.url",
        )
    if version < OLDEST * 10000:
        raise StoreError(
            f"{name} is PostgreSQL {version // 10000}, too old for a store",
            hint=f"use PostgreSQL {OLDEST} or newer",
        )
    if told != real:
        raise StoreError(
            f"{name} is behind a pooler, where a lock does not die with its holder",
            hint="name PostgreSQL itself in store.url, not PgBouncer or the like",
        )


def parameters(database: Database, timing: Timing, idle: float = 0.0) -> dict[str, Any]:
    """Return how psycopg connects to *database*; holds its password."""
    password = database.password
    settings = {
        **_SETTINGS,
        "statement_timeout": timing.statement_timeout,
        "idle_session_timeout": f"{round(idle * 1000)}ms",
    }
    return {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "dbname": database.database,
        **({} if password is None else {"password": password.reveal()}),
        **dict(database.tls),
        "gssencmode": "disable",  # its negotiation would block the event loop
        "options": " ".join(
            f"-c {name}={value.replace(' ', chr(92) + ' ')}"
            for name, value in settings.items()
        ),
        "application_name": "everbearer",
        "client_encoding": "utf8",
        "connect_timeout": round(timing.connect),
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "autocommit": True,
        "prepare_threshold": None,
    }
