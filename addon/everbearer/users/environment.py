"""
Who opened a connection on this machine, and whether its environment has a password.

For clients that know of a proxy and not of a proxy's password (Java has no option
for one). Linux tells who owns the other end of a connection. A process whose
environment holds the random password of a run was given it, as surely as one that
sends it in a field. Elsewhere nobody is known in this way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.users.connection import owned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.secret import Secret
    from everbearer.users.connection import Endpoint

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class EnvironmentHolds:
    """Knows processes of this user whose environment holds *password*."""

    password: Secret

    def knows(self, client: Endpoint, proxy: Endpoint) -> bool:
        """Tell whether one of them owns the IPv4 connection; blocks, never raises."""
        found = owned(client, proxy)
        if found is None or found.uid != os.geteuid():
            return False
        wanted = self.password.reveal().encode()
        return any(wanted in environ for environ in _environments(found.inode))


def _environments(inode: str) -> Iterator[bytes]:
    """Yield the environments of all processes that have the socket."""
    wanted = f"socket:[{inode}]"
    for process in _PROC.iterdir():
        if not process.name.isdecimal():
            continue
        # Processes end, and others' are not ours to look into.
        with suppress(OSError):
            if any(_target(each) == wanted for each in (process / "fd").iterdir()):
                yield (process / "environ").read_bytes()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""
