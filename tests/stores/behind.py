"""What tests do to a SQLite store behind its back."""

import asyncio
import os
import shlex
import sqlite3
from contextlib import closing

from everbearer.secret import Secret
from everbearer.stores.contract import Record
from stores.places import grant

CANARY = "c4nary-t0ken-that-must-not-show"
RECORD = Record(access_token=Secret(CANARY), refresh_token=Secret(CANARY[::-1]))
NOBODY = 65534


def execute(path, *statements):
    """Change the file behind the store's back; return what the last one selects."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for statement in statements:
            rows = connection.execute(*statement).fetchall()
        return rows


async def run(command):
    """Run a command that a hint gives; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


def same_file(descriptor, path):
    """Tell whether a descriptor is of the file at *path*; a closed one is not."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def sealed(path, name="a"):
    """Return what the file holds for a grant."""
    ((blob,),) = execute(
        path, ("SELECT sealed FROM records WHERE digest = ?", (grant(name).digest,))
    )
    return blob
