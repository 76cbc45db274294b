"""The folder of one run of `exec`: public certificates, gone with the run."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from everbearer.stores import private
from everbearer.stores.passing import passing_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PREFIX: Final = "run-"
_LOCK: Final = ".lock"


@contextmanager
def run_folder(parent: Path | None = None) -> Iterator[Path]:
    """
    Give an empty private folder, which is removed in the end with all in it.

    Beside it lies a file that its owner holds a lock on. What runs have left
    that could not remove anything any more is removed by the next. Raises
    StoreError where the place is open to others.
    """
    import platformdirs  # noqa: PLC0415 - slow to load, and --help comes by here

    parent = parent or platformdirs.user_cache_path("everbearer") / "exec"
    with passing_file(parent, _PREFIX, _LOCK) as lock:
        _sweep(parent)
        folder = lock.with_suffix("")
        private.make_folder(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the folders whose file is gone: it lives as long as their owner."""
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.suffix != _LOCK and not folder.with_suffix(_LOCK).exists():
            shutil.rmtree(folder, ignore_errors=True)
