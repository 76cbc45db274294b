"""
Who opened a connection on this machine, and whether its environment has a password.

For clients that know of a proxy and not of a proxy's password (Java has no option
for one). Linux tells who owns the other end of a connection. A process whose
environment holds the random password of a run was given it, as surely as one that
sends it in a field. Elsewhere nobody is known in this way.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.secret import Secret

type Endpoint = tuple[str, int]

_PROC: Final = Path("/proc")
_TABLES: Final = ("net/tcp", "net/tcp6")
# Columns of both tables (Linux, Documentation/networking/proc_net_tcp.rst).
_LOCAL: Final = 1
_REMOTE: Final = 2
_UID: Final = 7
_INODE: Final = 9
_MAPPED: Final = bytes(10) + b"\xff\xff"
_WORD: Final = 4


@dataclass(frozen=True, slots=True)
class EnvironmentHolds:
    """Knows processes of this user whose environment holds *password*."""

    password: Secret

    def knows(self, client: Endpoint, proxy: Endpoint) -> bool:
        """Tell whether one of them owns the IPv4 connection; blocks, never raises."""
        inode = _inode(client, proxy)
        if inode is None:
            return False
        wanted = self.password.reveal().encode()
        return any(wanted in environ for environ in _environments(inode))


def _inode(client: Endpoint, proxy: Endpoint) -> str | None:
    """Return the client's socket, if this user's process made it."""
    uid = str(os.geteuid())
    for table, spelled in zip(_TABLES, (_ipv4, _ipv6), strict=True):
        try:
            ends = [spelled(client), spelled(proxy)]
            lines = (_PROC / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if [columns[_LOCAL], columns[_REMOTE]] == ends and columns[_UID] == uid:
                return columns[_INODE]
    return None


def _ipv4(end: Endpoint) -> str:
    return _spelled(socket.inet_pton(socket.AF_INET, end[0]), end[1])


def _ipv6(end: Endpoint) -> str:
    # Java's sockets are of IPv6, whomever they connect to.
    return _spelled(_MAPPED + socket.inet_pton(socket.AF_INET, end[0]), end[1])


def _spelled(packed: bytes, port: int) -> str:
    """Return an end as the tables have it: words of the machine's byte order."""
    words = (packed[i : i + _WORD] for i in range(0, len(packed), _WORD))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"


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
