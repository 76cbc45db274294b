"""
How many requests the proxies of this user have served, for `status`.

Each proxy keeps its counts in a file that it maps into its memory: counting is a
write to memory, and whoever reads sees it at once. The file is locked as long as
its proxy lives; one that is not has been left by a crash, and is removed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import platformdirs

from everbearer.events import Exchanged

if TYPE_CHECKING:
    from everbearer.events import Event

_HEAD: Final = 4096
"""Bytes; longer than any path."""

_SLOT: Final = struct.Struct("<64sQ")  # a profile's name, and its count
_SLOTS: Final = 256
_SIZE: Final = _HEAD + _SLOTS * _SLOT.size


def default_folder() -> Path:
    """Return where the counts of this user's proxies are."""
    return platformdirs.user_state_path("everbearer") / "proxies"


class Served:
    """
    Counts the requests that went out with a token; a subscriber of events.

    `source` is the configuration. Where nothing can be written nothing is counted:
    that is no reason not to serve.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        self._places: dict[str, int] = {}
        self._map: mmap.mmap | None = None
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file, made = tempfile.mkstemp(".new", dir=folder)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.truncate(self._file, _SIZE)
            self._map = mmap.mmap(self._file, _SIZE)
            name = os.fsencode(source)[: _HEAD - 1]
            self._map[: len(name)] = name
            # Readers remove what is not locked, so that has its name only now.
            self._path = Path(made).rename(f"{made}.served")

    def __call__(self, event: Event) -> None:
        """Count *event* if it is a request with a token."""
        if isinstance(event, Exchanged) and event.verdict == "inject":
            self._count(event.profile)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._map is None:
            return
        self._map.close()
        self._map = None
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)

    def _count(self, profile: str) -> None:
        if self._map is None:
            return
        name = profile.encode()[:64]
        place = self._places.get(profile) or self._place(name)
        if place is None:
            return
        self._places[profile] = place
        _, count = _SLOT.unpack_from(self._map, place)
        _SLOT.pack_into(self._map, place, name, count + 1)

    def _place(self, name: bytes) -> int | None:
        """Find its slot, which an earlier worker may have used, or a free one."""
        assert self._map is not None
        for place in range(_HEAD, _SIZE, _SLOT.size):
            found, count = _SLOT.unpack_from(self._map, place)
            if count == 0 or found.rstrip(b"\0") == name:
                return place
        return None


def served(source: Path, folder: Path) -> Counter[str] | None:
    """
    Return the counts by profile of all proxies that run with that configuration.

    None where no proxy does.
    """
    found: Counter[str] | None = None
    for path in folder.glob("*.served"):
        with suppress(OSError), path.open("rb") as file:
            if not _is_alive(file.fileno()):
                path.unlink()
                continue
            content = file.read(_SIZE)
            if content[:_HEAD].rstrip(b"\0") == os.fsencode(source):
                found = (found or Counter()) + _counts(content)
    return found


def _is_alive(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _counts(content: bytes) -> Counter[str]:
    slots = _SLOT.iter_unpack(content[_HEAD:_SIZE])
    return Counter({name.rstrip(b"\0").decode(): n for name, n in slots if n})
