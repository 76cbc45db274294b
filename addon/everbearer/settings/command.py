"""Ask a program for a secret."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from everbearer.settings.files import MAX_SECRET
from everbearer.settings.problems import Mistake, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ALONE: Final = "make it write the secret alone"


def output_of(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], timeout: float
) -> str:
    """
    Return what the program writes to stdout, without its last line break.

    No shell, nothing on stdin, `folder` as current folder, at most `timeout`
    seconds. Raises Mistake unless it ends with status 0 and text. What it wrote
    is in no message: stdout may be half a secret, and stderr (thrown away) a
    trace of one.
    """
    # A whole command line in one string may hold a secret; its first word does not.
    program = quote((command[0].split() or [""])[0])
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own, and no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=dict(environ),
            process_group=0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Mistake(
            f"the program {program} cannot be started"
            f" ({(reason or 'not a program name').lower()})",
            "write its full path, and each argument as a string of its own",
        ) from None
    with process:
        try:
            written = _read(program, process, time.monotonic() + timeout)
        except TimeoutError:
            raise Mistake(
                f"the program {program} did not end within {timeout:g} seconds",
                "make it answer without asking anybody",
            ) from None
        finally:
            if process.returncode is None:
                # The group, or a child that holds the pipe would outlive it.
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise Mistake(
            f"the program {program} ended with status {process.returncode}",
            "run it by hand to see what it says",
        )
    try:
        return written.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Mistake(
            f"the program {program} wrote something that is not UTF-8 text", _ALONE
        ) from None


def _read(program: str, process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return all of stdout once the program has ended; TimeoutError."""
    assert process.stdout is not None
    written = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), MAX_SECRET)
            if not chunk:
                break
            written += chunk
            if len(written) > MAX_SECRET:
                raise Mistake(
                    f"the program {program} wrote more than {MAX_SECRET // 1024} KiB",
                    _ALONE,
                )
        else:
            raise TimeoutError
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return written
