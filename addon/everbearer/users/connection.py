"""
Who opened a connection on this machine.

Linux tells it of TCP over loopback (Documentation/networking/proc_net_tcp.rst);
elsewhere nobody knows.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

type Endpoint = tuple[str, int]

_PROC: Final = Path("/proc")
_TABLES: Final = ("net/tcp", "net/tcp6")
_LOCAL: Final = 1
_REMOTE: Final = 2
_STATE: Final = 3
_UID: Final = 7
_INODE: Final = 9
_MAPPED: Final = bytes(10) + b"\xff\xff"
_WORD: Final = 4
_ESTABLISHED: Final = "01"
_LET_GO: Final = "0"

NOBODY: Final = -1
"""Whose a connection is that its client has let go of."""


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose socket is at the client's end, and which it is."""

    uid: int
    inode: str


def owned(client: Endpoint, server: Endpoint) -> Owned | None:
    """Return who opened the connection; blocks, raises nothing."""
    found = _row(client, server)
    return None if found is None else Owned(int(found[_UID]), found[_INODE])


def owner_of(client: Endpoint, server: Endpoint) -> int | None:
    """
    Return the user's number, None where nobody knows; blocks, raises nothing.

    NOBODY where the client has let go of it: the kernel gives such a socket to
    root, whosever it was. *server* is an end of this process.
    """
    found = owned(client, server)
    if found is not None:
        return NOBODY if found.inode == _LET_GO else found.uid
    ours = _row(server, client)
    if ours is not None and ours[_STATE] == _ESTABLISHED:
        return None  # the other end is on another machine, a virtual one's host
    return NOBODY if _is_told() else None


def _is_told() -> bool:
    return (_PROC / _TABLES[0]).exists()


def _row(near: Endpoint, far: Endpoint) -> list[str] | None:
    """Return the columns of the socket at the *near* end."""
    for table, spelled in zip(_TABLES, (_ipv4, _ipv6), strict=True):
        try:
            ends = [spelled(near), spelled(far)]
            lines = (_PROC / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if [columns[_LOCAL], columns[_REMOTE]] == ends:
                return columns
    return None


def _ipv4(end: Endpoint) -> str:
    return _spelled(socket.inet_pton(socket.AF_INET, end[0]), end[1])


def _ipv6(end: Endpoint) -> str:
    if ":" in end[0]:
        return _spelled(socket.inet_pton(socket.AF_INET6, end[0]), end[1])
    # Java's sockets are of IPv6, whomever they connect to.
    return _spelled(_MAPPED + socket.inet_pton(socket.AF_INET, end[0]), end[1])


def _spelled(packed: bytes, port: int) -> str:
    """Return an end as the tables have it: words of the machine's byte order."""
    words = (packed[i : i + _WORD] for i in range(0, len(packed), _WORD))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"
