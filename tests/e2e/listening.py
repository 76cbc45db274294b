"""Where a process listens, as the kernel has it."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

from needs import need_proc


def listeners(pid: int) -> set[str]:
    """Return the addresses on which a process listens; skip where there is no /proc."""
    inodes = set()
    for link in need_proc(Path(f"/proc/{pid}/fd")).iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue  # closed meanwhile
        inodes |= set(re.findall(r"socket:\[(\d+)\]", target))
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                packed = bytes.fromhex(words[1].partition(":")[0])
                size = struct.calcsize("=I")
                parts = [packed[i : i + size] for i in range(0, len(packed), size)]
                host = b"".join(part[::-1] for part in parts)
                found.add(socket.inet_ntop(family, host))
    return found
