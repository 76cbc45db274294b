"""The store, looked at without being changed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from everbearer.doctor.configuration import configuration
from everbearer.doctor.files import files
from everbearer.doctor.patient import Patient
from everbearer.doctor.result import Level
from everbearer.doctor.store import judge_room, keyring, store
from everbearer.secret import Secret
from everbearer.stores import open_store
from everbearer.stores.contract import Record

CONFIG = """
[profiles.service]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "SECRET" }
subject = { type = "enterprise", id = "1" }

[store]
"""


async def patient_with(tmp_path: Path, line: str) -> Patient:
    """Return a set-up whose configuration was found sound."""
    path = tmp_path / "config.toml"
    path.write_text(f"{CONFIG}{line}\n")
    path.chmod(0o600)
    places = tmp_path / "confdir", tmp_path / "ca"
    patient = Patient(path, {"SECRET": "c4nary"}, *places)
    results = await configuration(patient)
    assert patient.found is not None, results
    return patient


async def saved(patient: Patient) -> None:
    """Make the store, with one record."""
    made = await asyncio.to_thread(open_store, patient.settings.store)
    key = patient.settings.profiles["service"].key
    await made.save(key, Record(access_token=Secret("c4nary")))
    await made.close()


async def test_a_log_that_is_not_ours_is_no_sound_configuration(tmp_path):
    """As a start would have it, with the way out."""
    log = tmp_path / "log"
    patient = await patient_with(tmp_path, f'[audit]\nfile = "{log}"')
    assert not log.exists()
    log.touch()
    log.chmod(0o644)
    (result,) = await configuration(patient)
    assert (result.level, result.exit_code) == (Level.FAIL, 2)
    assert f"{log} is readable by others" in result.detail
    assert f"chmod o= {log}" in result.detail + result.fix


async def test_a_store_is_not_made_by_looking(tmp_path):
    """It will be by the first use."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    (result,) = await store(patient)
    assert result.level is Level.OK
    assert "made with the first use" in result.detail
    assert not (tmp_path / "data").exists()


async def test_a_store_in_memory_is_well(tmp_path):
    """There is nothing to look at, and no key."""
    patient = await patient_with(tmp_path, 'url = "memory:"')
    assert [r.level for r in await store(patient)] == [Level.OK]
    assert [r.level for r in await keyring(patient)] == [Level.SKIP]
    assert [r.level for r in await files(patient)] == [Level.OK]


async def test_a_sound_store_is_counted(tmp_path):
    """And left as it is."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    await saved(patient)
    before = (tmp_path / "data" / "t.db").read_bytes()
    (result,) = await store(patient)
    assert (result.level, result.detail.endswith("t.db, 1 record")) == (Level.OK, True)
    assert (tmp_path / "data" / "t.db").read_bytes() == before


async def test_a_bad_record_is_a_failure(tmp_path):
    """With its way out, and no secret."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    await saved(patient)
    with closing(sqlite3.connect(tmp_path / "data" / "t.db")) as connection:
        connection.execute("UPDATE records SET sealed = x'00'")
        connection.commit()
    (result,) = await store(patient)
    assert (result.level, result.exit_code) == (Level.FAIL, 3)
    assert result.fix
    assert "c4nary" not in repr(result)


async def test_files_open_to_others_seal_the_store(tmp_path):
    """What others could have written is not opened."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    await saved(patient)
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "store.key").chmod(0o640)

    found = await files(patient)

    assert [(r.level, r.exit_code) for r in found] == [(Level.FAIL, 3)] * 2
    assert f"chmod 700 {tmp_path}/data" in found[0].fix
    assert f"chmod 600 {tmp_path}/data/store.key" in found[1].fix
    (result,) = await store(patient)
    assert (result.level, result.detail) == (Level.SKIP, "mend the file modes first")


async def test_the_key_of_the_ca_seals_nothing(tmp_path):
    """It is a failure of its own: whoever has it can be any server."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    patient.confdir.mkdir()
    key = patient.confdir / "mitmproxy-ca.pem"
    key.touch()
    key.chmod(0o644)
    (result,) = await files(patient)
    assert (result.level, result.exit_code) == (Level.FAIL, 1)
    assert result.fix == f"run: chmod 600 {key}"
    assert patient.sealed == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written(tmp_path):
    """Is found before a renewal meets it."""
    patient = await patient_with(tmp_path, f'url = "sqlite:{tmp_path}/data/t.db"')
    await saved(patient)
    (tmp_path / "data").chmod(0o500)
    (result,) = await store(patient)
    assert (result.level, result.exit_code) == (Level.FAIL, 3)
    assert "cannot be written" in result.detail


def test_a_disk_that_is_nearly_full():
    """A save may fail there soon."""
    assert judge_room(Path("/d"), 1 << 30) == ()
    (result,) = judge_room(Path("/d"), 1 << 20)
    assert (result.level, result.fix) == (Level.WARN, "make room; look at: df -h /d")
