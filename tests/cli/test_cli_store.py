"""`everbearer store`: told without secrets, verified without changing anything."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from everbearer.cli.configuration import read
from everbearer.secret import Secret
from everbearer.stores import open_store
from everbearer.stores.contract import GrantKey, Record

CONFIG = """
[profiles.dev]
provider = "box"
access_token = { env = "PATH" }

[profiles.service]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "PATH" }
subject = { type = "enterprise", id = "1" }

[store]
"""
CANARY = "c4nary"
OTHER = GrantKey("https://api.box.com/oauth2/token", "other", "jwt_bearer", "x")


@pytest.fixture
def config(tmp_path):
    """Write a configuration with the store in a file beside it."""
    return written(tmp_path, f'url = "sqlite:{tmp_path}/data/tokens.db"')


def written(folder: Path, store: str) -> Path:
    """Write a configuration with that store."""
    path = folder / "config.toml"
    path.write_text(CONFIG + store)
    path.chmod(0o600)
    return path


def save_two(config):
    """Save the record of a profile and one that no profile has."""

    async def save():
        store = open_store(settings.store)
        for key in (settings.profiles["service"].key, OTHER):
            await store.save(key, Record(access_token=Secret(CANARY)))
        await store.close()

    settings = read(config)
    asyncio.run(save())
    return settings.profiles["service"].key


def test_path_is_told(type_in, config, tmp_path):
    """Where the store and its key are; nothing is made."""
    typed = type_in(f"store path -c {config}")
    assert typed.code == 0
    assert f"store     {tmp_path}/data/tokens.db" in typed.out
    assert f"key       the file {tmp_path}/data/store.key" in typed.out
    assert not (tmp_path / "data").exists()

    told = type_in(f"store path --json -c {config}").json
    assert (told["kind"], told["key_kind"]) == ("sqlite", "file")


def test_path_tells_no_password(type_in, tmp_path):
    """A URL is told without its password; PostgreSQL need not be there."""
    config = written(
        tmp_path,
        f'url = "postgresql://me:{CANARY}@127.0.0.1:9/eb"\n'
        'key = { env = "STORE_KEY" }',
    )
    for line in (f"store path -c {config}", f"store path --json -c {config}"):
        typed = type_in(line)
        assert typed.code == 0
        assert "postgresql://me@127.0.0.1:9/eb" in typed.out
        assert "variable STORE_KEY" in typed.out
        assert CANARY not in typed.out + typed.err


def test_store_in_memory(type_in, tmp_path):
    """There is nothing to find, to make or to verify."""
    config = written(tmp_path, 'url = "memory:"')
    assert "in memory" in type_in(f"store path -c {config}").out
    assert "nothing to do" in type_in(f"store migrate -c {config}").out
    assert "0 records" in type_in(f"store verify -c {config}").out


def test_migrate_twice(type_in, config, tmp_path):
    """The first makes the store and its key, the second does nothing."""
    assert "made the store" in type_in(f"store migrate -c {config}").out
    before = (tmp_path / "data" / "tokens.db").read_bytes()
    assert "nothing to do" in type_in(f"store migrate -c {config}").out
    assert (tmp_path / "data" / "tokens.db").read_bytes() == before


def test_a_sound_store_is_verified(type_in, config, tmp_path):
    """Every record is opened, also one that no profile has; none yet is well too."""
    assert type_in(f"store verify -c {config}").out.endswith(": 0 records\n")
    assert not (tmp_path / "data").exists()

    save_two(config)
    typed = type_in(f"store verify -c {config}")
    assert typed.code == 0
    assert typed.out.startswith("ok: ")
    assert typed.out.endswith(": 2 records\n")
    told = type_in(f"store verify --json -c {config}").json
    assert (told["ok"], told["records"], told["bad"]) == (True, 2, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sealed = x'00'", "does not authenticate"),
        ("schema = 99", "newer everbearer"),
        ("digest = ';rm'", "digest is none"),
    ],
)
def test_a_bad_record_is_told(type_in, config, tmp_path, change, message):
    """By its digest and its profile, with what to do; it is left as it is."""
    key = save_two(config)
    database = tmp_path / "data" / "tokens.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            f"UPDATE records SET {change} WHERE digest = ?", (key.digest,)
        )
    before = database.read_bytes()

    typed = type_in(f"store verify -c {config}")
    assert typed.code == 3
    assert message in typed.err
    assert "hint: " in typed.err
    assert typed.out.startswith("1 of 2 records cannot be read")
    told = type_in(f"store verify --json -c {config}")
    assert told.code == 3
    (bad,) = told.json["bad"]
    if "digest" not in change:
        assert bad["digest"] == key.digest[:8]
        assert bad["profiles"] == ["service"]
        assert f"service: record {key.digest[:8]}" in typed.err
    assert database.read_bytes() == before
    assert CANARY not in typed.out + typed.err + told.out + told.err


def test_a_store_that_does_not_open(type_in, config, tmp_path):
    """Without its key nothing can be verified, and that is told, to programs too."""
    save_two(config)
    (tmp_path / "data" / "store.key").unlink()

    typed = type_in(f"store verify -c {config}")
    assert typed.code == 3
    assert "key of" in typed.err
    told = type_in(f"store verify --json -c {config}")
    assert told.code == 3
    assert told.json["ok"] is False
    assert "is missing" in told.json["error"]
