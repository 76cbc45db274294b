"""A damaged SQLite store never yields a wrong record, and nothing is overwritten."""

import random
import sqlite3
from dataclasses import replace

import pytest

from everbearer.errors import StoreError
from everbearer.stores.codec import Row, encode
from stores.behind import RECORD, execute, run, sealed
from stores.places import grant


async def test_every_damaged_byte_is_found(sqlite_store, path):
    """With any byte of the sealed record changed it is refused, and comes back."""
    whole = sealed(path)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        execute(path, ("UPDATE records SET sealed = ?", (bytes(damaged),)))
        with pytest.raises(StoreError, match="does not authenticate"):
            await sqlite_store.load(grant("a"))

    execute(path, ("UPDATE records SET sealed = ?", (whole,)))
    assert await sqlite_store.load(grant("a")) == replace(RECORD, version=1)


async def test_damage_anywhere_yields_no_wrong_record(closed, sqlite):
    """With any byte of the file changed, what loads is the record or nothing."""
    content = closed.read_bytes()
    outcomes = []
    for position in sorted(random.Random(0).sample(range(len(content)), 200)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        closed.write_bytes(damaged)
        try:
            store = sqlite.open()
        except StoreError as error:
            outcomes.append(error)
            continue
        try:
            outcomes.append(await store.load(grant("a")))
        except StoreError as error:
            outcomes.append(error)
        await store.close()

    right = replace(RECORD, version=1)
    assert any(isinstance(outcome, StoreError) for outcome in outcomes)
    assert right in outcomes
    assert all(o in (right, None) or isinstance(o, StoreError) for o in outcomes)


@pytest.mark.parametrize(
    "value", ["NULL", "7", "'text'", "x''"], ids=["null", "int", "text", "empty"]
)
async def test_column_of_another_type_is_refused(sqlite_store, path, value):
    """A sealed column that holds no sealed bytes is refused like a damaged one."""
    try:
        execute(path, (f"UPDATE records SET sealed = {value}",))
    except sqlite3.IntegrityError:
        assert value == "NULL"
        return
    with pytest.raises(StoreError, match="does not authenticate"):
        await sqlite_store.load(grant("a"))


async def test_swapped_rows_are_refused(sqlite_store, path):
    """Two grants' rows with their contents exchanged open for neither."""
    await sqlite_store.save(grant("b"), RECORD)
    one, other = sealed(path, "a"), sealed(path, "b")
    statement = "UPDATE records SET sealed = ? WHERE digest = ?"
    execute(
        path,
        (statement, (other, grant("a").digest)),
        (statement, (one, grant("b").digest)),
    )

    for name in "ab":
        with pytest.raises(StoreError, match="does not authenticate"):
            await sqlite_store.load(grant(name))


async def test_version_cannot_be_rolled_back(sqlite_store, path):
    """Neither an older version's number nor its contents pass for the newer."""
    old = sealed(path)
    await sqlite_store.save(grant("a"), replace(RECORD, version=1))

    execute(path, ("UPDATE records SET version = 1",))
    with pytest.raises(StoreError, match="does not authenticate"):
        await sqlite_store.load(grant("a"))

    execute(path, ("UPDATE records SET version = 2, sealed = ?", (old,)))
    with pytest.raises(StoreError, match="does not authenticate"):
        await sqlite_store.load(grant("a"))


async def test_bad_record_is_kept_and_alone(sqlite_store, path):
    """A bad record is not overwritten and does not keep others from being used."""
    execute(path, ("UPDATE records SET sealed = x'00'",))

    for version in (0, 1):
        with pytest.raises(StoreError, match=grant("a").digest[:8]):
            await sqlite_store.save(grant("a"), replace(RECORD, version=version))
    assert sealed(path) == b"\x00"

    saved = await sqlite_store.save(grant("b"), RECORD)
    assert await sqlite_store.load(grant("b")) == saved


@pytest.mark.real
async def test_bad_record_can_be_forgotten(sqlite_store, path):
    """The command in the hint makes room for a record anew."""
    execute(path, ("UPDATE records SET sealed = x'00'",))
    with pytest.raises(StoreError) as caught:
        await sqlite_store.load(grant("a"))
    command = caught.value.hint.partition("seed: ")[2]
    await run(command)

    assert await sqlite_store.load(grant("a")) is None
    assert (await sqlite_store.save(grant("a"), RECORD)).version == 1


async def test_newer_record_is_left_alone(sqlite_store, path):
    """A record of a schema to come is refused by load and save, and not changed."""
    row = Row(
        1, 99, sqlite_store._cipher.seal(encode(RECORD), b"of a later everbearer")
    )
    execute(
        path, ("UPDATE records SET schema = ?, sealed = ?", (row.schema, row.sealed))
    )

    with pytest.raises(StoreError, match="newer everbearer"):
        await sqlite_store.load(grant("a"))
    with pytest.raises(StoreError, match="newer everbearer"):
        await sqlite_store.save(grant("a"), replace(RECORD, version=1))
    assert sealed(path) == row.sealed
