"""Stores in a folder of the test's own, and processes that share them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from everbearer.stores.contract import Store
from needs import lack
from stores import postgres_database
from stores.behind import RECORD
from stores.places import PLACES, SHARED, Place, PostgresPlace, SqlitePlace, grant

WORKER = Path(__file__).with_name("store_worker.py")


@pytest.fixture(scope="session", autouse=True)
def own_database() -> Iterator[None]:
    """Name a database for this process and those it starts; removed in the end."""
    os.environ[postgres_database.RUN] = str(os.getpid())
    yield
    postgres_database.remove()


def kinds(of: Iterable[str]) -> list[object]:
    """Return the kinds as parameters; a server's are not of the unit part."""
    real = {"postgresql": pytest.mark.real}
    return [pytest.param(kind, marks=real.get(kind, ())) for kind in of]


def served(kind: str) -> str:
    """Return the kind; skip the test where its server is missing."""
    if kind == "postgresql" and (why := postgres_database.missing()):
        lack("postgres", f"{why} ($EVERBEARER_TEST_POSTGRES)")
    return kind


def empty_place(kind: str, folder: Path) -> Place:
    """Return an empty place of that kind."""
    found = PLACES[served(kind)](folder)
    found.empty()
    return found


@pytest.fixture(params=kinds(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Every kind of place in turn."""
    return empty_place(request.param, tmp_path)


@pytest.fixture(params=kinds(SHARED))
def shared_kind(request: pytest.FixtureRequest) -> str:
    """Every kind in turn that processes can share."""
    return served(request.param)


@pytest.fixture
def postgres(real: None, tmp_path: Path) -> PostgresPlace:
    """Return the place of a PostgreSQL store."""
    return empty_place("postgresql", tmp_path)


@pytest.fixture
def shared_place(shared_kind: str, tmp_path: Path) -> Place:
    """Every place in turn that processes can share."""
    return empty_place(shared_kind, tmp_path)


@pytest.fixture
def sqlite(tmp_path: Path) -> SqlitePlace:
    """Return the place of a SQLite store."""
    return SqlitePlace(tmp_path)


@pytest.fixture(params=[0o000, 0o777], ids=["umask 000", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the widest umask and the narrowest."""
    before = os.umask(request.param)
    yield
    os.umask(before)


type Opener = Callable[[Place], Store]


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Opener]:
    """Open a place; closed when the test ends."""
    stores: list[Store] = []

    def open_place(place: Place) -> Store:
        stores.append(place.open())
        return stores[-1]

    yield open_place
    for store in stores:
        await store.close()


@pytest.fixture
def sqlite_store(opened: Opener, sqlite: SqlitePlace) -> Store:
    """Open the store."""
    return opened(sqlite)


@pytest_asyncio.fixture
async def path(sqlite_store: Store, sqlite: SqlitePlace) -> Path:
    """Return the file of an open store with a record."""
    await sqlite_store.save(grant("a"), RECORD)
    return sqlite.database


@pytest_asyncio.fixture
async def closed(sqlite: SqlitePlace) -> Path:
    """Return the file of a store with a record that is open nowhere."""
    store = sqlite.open()
    await store.save(grant("a"), RECORD)
    await store.close()
    return sqlite.database


class Process:
    """A store_worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def tell(self, *words: object) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")

    async def hear(self) -> str:
        """Return the next answer."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def ask(self, *words: object) -> str:
        """Send a command and return its first answer."""
        self.tell(*words)
        return await self.hear()

    async def kill(self) -> str:
        """End it by SIGKILL, as it is; return what it still had said."""
        if self._process.returncode is None:
            self._process.kill()
        assert self._process.stdout is not None
        rest = (await self._process.stdout.read()).decode()
        await self._process.wait()
        return rest


type Start = Callable[[Path], Awaitable[Process]]


@pytest_asyncio.fixture
async def start(real: None, shared_kind: str) -> AsyncIterator[Start]:
    """Start a worker on a folder; killed when the test ends."""
    processes: list[Process] = []

    async def start_worker(folder: Path) -> Process:
        pipe = asyncio.subprocess.PIPE
        processes.append(
            Process(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    WORKER,
                    shared_kind,
                    folder,
                    stdin=pipe,
                    stdout=pipe,
                    env={**os.environ, "PYTHONPATH": str(WORKER.parents[1])},
                )
            )
        )
        return processes[-1]

    yield start_worker
    for process in processes:
        await process.kill()
