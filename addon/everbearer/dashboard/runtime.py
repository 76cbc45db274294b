"""
How the command finds the instance that runs, and proves to be its user's.

Each instance writes where it is, and the key of its tickets, to a file of mode 0600
in a folder of mode 0700. It is locked as long as the instance lives: what killed
ones have left is removed by whoever looks.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from everbearer.secret import Secret
from everbearer.stores.passing import living, passing_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "dashboard-"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Found:
    """One running instance, by its configuration."""

    source: Path
    host: str
    port: int
    key: Secret
    pid: int


def default_folder() -> Path:
    """Return where the instances of this user tell where they are."""
    return platformdirs.user_state_path("everbearer") / "dashboards"


@contextmanager
def announced(instance: Found, folder: Path) -> Iterator[None]:
    """
    Tell where an instance is, while the context lasts.

    Raises StoreError where others could read it, or nothing can be written.
    """
    told = {
        "source": str(instance.source),
        "host": instance.host,
        "port": instance.port,
        "key": instance.key.reveal(),
        "pid": instance.pid,
    }
    with passing_file(folder, _PREFIX, _SUFFIX) as path:
        path.write_text(json.dumps(told), encoding="utf-8")
        yield


def running(source: Path, folder: Path) -> list[Found]:
    """
    Return the instances that run with the configuration *source*, the newest first.

    Raises StoreError where others could have written them.
    """
    found = [_read(path) for path in living(folder, _PREFIX, _SUFFIX)]
    return [each for each in found if each is not None and each.source == source]


def _read(path: Path) -> Found | None:
    """Return what is told; None for what is being written, or another version's."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Found(
            Path(told["source"]),
            told["host"],
            told["port"],
            Secret(told["key"]),
            told["pid"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
