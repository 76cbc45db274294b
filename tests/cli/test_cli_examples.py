"""The example that each help text ends in is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from everbearer.cli.main import COMMANDS
from everbearer.cli.stage import Stage
from needs import need

RUNS_ON = {"sandbox", "serve"}  # until they are stopped
ELSEWHERE = {"demo", "login", "dashboard"}  # test_cli_demo, test_login, and below


@pytest.fixture(scope="module")
def sandbox(real: None) -> Iterator[Stage]:
    """Run the sandbox as its own help says, but for the port, which may be taken."""
    with Stage() as stage:
        child = stage.everbearer(*words("sandbox"), "--port", "0")
        child.wait_for("try: everbearer serve")
        yield stage


def example(name: str) -> str:
    """Return the line that a command's help ends in."""
    done = subprocess.run(
        [sys.executable, "-m", "everbearer", name, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].strip()


def words(name: str) -> list[str]:
    """Return the example's words after `everbearer`."""
    return shlex.split(example(name))[1:]


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - RUNS_ON - ELSEWHERE))
def test_the_example_of_a_command_works(name, sandbox):
    """Typed into a shell beside the sandbox's example, it succeeds."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # Nothing of a test belongs into a person's own keyring.
    no_keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = subprocess.run(
        ["bash", "-c", example(name)],
        cwd=sandbox.folder,
        env=sandbox.env | {"PATH": path} | no_keyring,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr


def test_the_examples_of_serve_and_dashboard_work(sandbox):
    """It serves; the address is another one, since the usual may be taken."""
    more = ["--listen", "127.0.0.1:0", "--", "--set", "confdir=mitmproxy"]
    child = sandbox.everbearer(*words("serve"), *more)
    child.wait_for("dashboard on")
    link = sandbox.output(*words("dashboard"), "--no-browser")
    assert "/open?ticket=" in link
    assert sandbox.stop(child) == 0


def test_what_the_sandbox_says_to_try_works(sandbox):
    """Its curl line, given to a shell as it is, is answered by the API."""
    need("curl")
    said = sandbox._children[-1].said()
    (line,) = [
        match[1] for each in said if (match := re.search("try: (curl .*)", each))
    ]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{line} -s"],
        cwd=sandbox.folder,
        env=sandbox.env | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"type":"user"' in done.stdout
