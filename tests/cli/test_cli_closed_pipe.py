"""What reads a command's output may end before the command does (`| head`)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "doctor --help",
        "",  # told on standard error, with the code of a command line that is wrong
        "doctor --offline -c box/all.toml",
        "doctor --offline --json -c box/all.toml",
        "status -c box/all.toml",
        "explain -c box/all.toml GET https://api.box.com/2.0/users/me",
        "ca -c box/all.toml",
        "completion bash",
    ],
)
def test_a_command_ends_quietly(line, box):
    """With the code that shells have for SIGPIPE, and not a word of a pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    # With buffers, as a user has it: what is left in one is written at the end.
    env = {k: v for k, v in box.stage.env.items() if k != "PYTHONUNBUFFERED"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "everbearer", *line.split()],
            cwd=box.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE if line else writing,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 141, done.stderr
    said = done.stderr or ""
    assert not any(each in said for each in ("error", "Traceback", "pipe")), said
