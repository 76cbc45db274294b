"""Whether the store and its key can be used."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING, Final

from everbearer.doctor.aside import aside
from everbearer.doctor.result import Result, failed, ok, skip, warn
from everbearer.errors import StoreError
from everbearer.stores import open_store, store_place
from everbearer.stores.keys import key_place
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.doctor.patient import Patient

_LITTLE: Final = 16 * 1024 * 1024
"""Bytes; a store has some hundred thousand, its journal as many."""


async def keyring(patient: Patient) -> tuple[Result, ...]:
    """Ask the keyring for the store's key, where that is its place."""
    source = patient.settings.store.key
    if source is None or not source.keyring:
        return (skip("keyring", "the store's key is not in one"),)
    place = key_place(source)
    try:
        key = await aside(place.read)
    except StoreError as error:
        patient.sealed = "mend the keyring first"
        return failed("keyring", error)
    if key is None:
        return (ok("keyring", f"it answers; {place} is not there"),)
    return (ok("keyring", f"{place} can be read"),)


async def store(patient: Patient) -> tuple[Result, ...]:
    """Open every record; change nothing, and make no store."""
    if patient.sealed:
        return (skip("store", patient.sealed),)
    settings = patient.settings.store
    place = store_place(settings)
    try:
        opened = await aside(lambda: open_store(settings, make=False))
        try:
            records = await opened.examine()
        finally:
            await opened.close()
    except StoreError as error:
        patient.sealed = "mend the store first"
        return failed("store", error)
    flaws = [each.flaw for each in records if each.flaw is not None]
    bad = [result for flaw in flaws for result in failed("store", flaw)]
    room = _room(settings.path) if settings.path is not None else ()
    if bad or room:
        return (*bad, *room)
    if isinstance(opened, MemoryStore):
        made = f"none yet: {place} is made with the first use"
        return (ok("store", place if settings.path is None else made),)
    count = f"{len(records)} record{'s' * (len(records) != 1)}"
    return (ok("store", f"{place}, {count}"),)


def _room(path: Path) -> tuple[Result, ...]:
    """Tell what stands in the way of the next save."""
    there = path
    while not there.exists():
        there = there.parent
    folder = there if there.is_dir() else there.parent
    for each in dict.fromkeys((there, folder)):
        if not os.access(each, os.W_OK):
            error = StoreError(
                f"{each} cannot be written, and every renewal is saved there",
                hint=f"look at: ls -ld {shlex.quote(str(each))}",
            )
            return failed("store", error)
    return judge_room(folder, shutil.disk_usage(folder).free)


def judge_room(folder: Path, free: int) -> tuple[Result, ...]:
    """Tell where so few bytes are *free* that a save may fail."""
    if free >= _LITTLE:
        return ()
    return (
        warn(
            "store",
            f"the disk of {folder} is nearly full: {free // 1024} KiB are left",
            f"make room; look at: df -h {shlex.quote(str(folder))}",
        ),
    )
