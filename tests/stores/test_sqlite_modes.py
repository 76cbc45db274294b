"""A SQLite store is its owner's alone, and shows no secret."""

import base64
import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import StoreError
from everbearer.stores.keys import FileKey
from everbearer.stores.sqlite import SqliteStore
from stores.behind import CANARY, NOBODY, RECORD, run
from stores.places import grant


async def test_everything_made_is_private(umask, sqlite, sqlite_store):
    """Whatever the umask, files are 0600, the journal too, and folders 0700."""
    await sqlite_store.save(grant("a"), RECORD)
    async with sqlite_store.exclusive(grant("a")):
        sqlite_store._connection.execute("BEGIN IMMEDIATE")
        sqlite_store._connection.execute("UPDATE records SET version = 9")
        found = {
            str(each.relative_to(sqlite.folder)): stat.S_IMODE(each.stat().st_mode)
            for each in sqlite.folder.rglob("*")
        }
        sqlite_store._connection.execute("ROLLBACK")

    assert found == {
        "config": 0o700,
        "config/store.key": 0o600,
        "data": 0o700,
        "data/locks": 0o700,
        f"data/locks/{grant('a').digest}.lock": 0o600,
        "data/tokens.db": 0o600,
        "data/tokens.db-journal": 0o600,
    }


@pytest.mark.parametrize(
    ("what", "wider", "fix"),
    [
        ("tokens.db", 0o640, "chmod 600"),
        ("tokens.db", 0o604, "chmod 600"),
        ("tokens.db", 0o666, "chmod 600"),
        (".", 0o755, "chmod 700"),
        (".", 0o710, "chmod 700"),
        (".", 0o1777, "chmod 700"),
        ("locks", 0o777, "chmod 700"),
    ],
)
@pytest.mark.real
async def test_wider_modes_are_refused(closed, sqlite, what, wider, fix):
    """What lets others in is refused with the command that mends it, which does."""
    target = closed.parent / what
    target.chmod(wider)

    with pytest.raises(StoreError, match=f"mode {wider:04o}") as caught:
        sqlite.open()
    assert caught.value.hint == f"run: {fix} {target}"

    await run(caught.value.hint.removeprefix("run: "))
    await sqlite.open().close()


async def test_linked_store_is_one_store(closed, sqlite, opened, tmp_path):
    """A store reached by a symbolic link has the same locks, and the same modes."""
    link = tmp_path / "elsewhere" / "linked.db"
    link.parent.mkdir(0o755)
    link.symlink_to(closed)
    linked = SqliteStore.open(link, sqlite.key)
    record = await linked.load(grant("a"))
    async with linked.exclusive(grant("a")):
        pass
    await linked.close()

    assert record == replace(RECORD, version=1)
    assert list(link.parent.iterdir()) == [link]
    assert (closed.parent / "locks" / f"{grant('a').digest}.lock").exists()


async def test_no_file_shows_a_secret(sqlite_store, path, sqlite):
    """No token is in any file, in any encoding; nor is the key beside them."""
    key = sqlite.key.read().reveal()
    secrets = [
        CANARY.encode(),
        CANARY[::-1].encode(),
        key.encode(),
        base64.b64decode(key),
    ]
    hidden = [
        form
        for raw in secrets
        for form in (raw, raw.hex().encode(), base64.b64encode(raw)[:-4])
    ]
    async with sqlite_store.exclusive(grant("a")):
        await sqlite_store.save(grant("a"), replace(RECORD, version=1))
        sqlite_store._connection.execute("BEGIN IMMEDIATE")
        sqlite_store._connection.execute("UPDATE records SET version = 9")
        files = [each for each in path.parent.rglob("*") if each.is_file()]
        content = b"".join(each.read_bytes() for each in files)
        sqlite_store._connection.execute("ROLLBACK")

    assert {each.suffix for each in files} == {".db", ".db-journal", ".lock"}
    assert not [form for form in hidden if form in content]
    assert CANARY not in repr(sqlite_store) + repr(sqlite_store._cipher)


@pytest.fixture
def shared_kind():
    """Only files have modes."""
    return "sqlite"


@pytest.fixture
def lent():
    """Lend a folder to a user who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder


@pytest.fixture
def user():
    """Return the uid of a user who is not root."""
    return NOBODY if os.geteuid() == 0 else os.geteuid()


async def test_read_only_folder_is_named(lent, user, start):
    """Where nothing can be written, opening and saving say so."""
    worker = await start(lent)
    await worker.ask("become", user)
    lent.chmod(0o500)
    assert await worker.ask("open") == (
        f"error: {lent / 'data'} cannot be used: permission denied"
    )

    lent.chmod(0o700)
    assert await worker.ask("open") == "opened"
    (lent / "data").chmod(0o500)
    answer = await worker.ask("save", "a", "token")
    assert answer.startswith(f"error: {lent / 'data' / 'tokens.db'} cannot be")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
async def test_another_users_store_is_refused(lent, user, start, sqlite):
    """A store that belongs to somebody else is not used, though root could."""
    worker = await start(lent)
    await worker.ask("become", user)
    assert await worker.ask("open") == "opened"

    with pytest.raises(StoreError, match=f"uid {NOBODY}"):
        SqliteStore.open(lent / "data" / "tokens.db", sqlite.key)
    with pytest.raises(StoreError, match=f"uid {NOBODY}"):
        FileKey(lent / "config" / "store.key").read()
