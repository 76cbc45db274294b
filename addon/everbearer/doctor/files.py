"""Whether files that hold secrets are open to others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from everbearer.clients.own_authority import key_file
from everbearer.doctor.result import failed, ok
from everbearer.errors import EverbearerError, StoreError
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result

_WHAT = "file modes"


async def files(patient: Patient) -> tuple[Result, ...]:
    """
    Look at the store's files, its key, and the key of the CA in use.

    The configuration and its secrets are judged when they are read.
    """
    bad: list[Result] = []
    for path, check in _of_the_store(patient):
        bad += _judged(path, check)
    if bad:
        patient.sealed = "mend the file modes first"
    of_the_ca = tuple(_of_the_ca(patient))
    patient.ca_is_open = bool(of_the_ca)
    bad += of_the_ca
    if bad:
        return tuple(bad)
    return (ok(_WHAT, "the store, its key and the CA's key are yours alone"),)


_ANY_FAILURE = EverbearerError.exit_code


def _of_the_ca(patient: Patient) -> Iterator[Result]:
    # Who has this key can be any server to whoever trusts the CA, or one of the
    # rules' hosts where it is the own, which nothing starts with then.
    if patient.has_own_ca:
        yield from _judged(patient.own, private.check_folder)
        yield from _judged(key_file(patient.own), _file)
        return
    # mitmproxy itself goes on with its own, so the code is not the store's.
    for each in _judged(patient.confdir / "mitmproxy-ca.pem", _file):
        yield replace(each, exit_code=_ANY_FAILURE)


def _of_the_store(patient: Patient) -> Iterator[tuple[Path, Callable[[Path], None]]]:
    store = patient.settings.store
    if store.path is not None:
        yield store.path.parent, private.check_folder
        yield store.path, _file
    if store.key is not None and store.key.file is not None:
        yield store.key.file, _file


def _judged(path: Path, check: Callable[[Path], None]) -> tuple[Result, ...]:
    if not _is_there(path):
        return ()
    try:
        check(path)
    except StoreError as error:
        return failed(_WHAT, error)
    return ()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder above that may not be entered
        return True


def _file(path: Path) -> None:
    with private.os_errors(path):
        info = path.stat()
    private.check_file(path, info)
