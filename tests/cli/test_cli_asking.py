"""Questions, and standard output and input that are not there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal import Terminal

pytestmark = pytest.mark.real


def closed(words: str, folder: Path, what: str, env: dict[str, str]):
    """Run a command with a redirection that closes or fills a stream."""
    line = f"exec {shlex.quote(sys.executable)} -m everbearer {words} {what}"
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("login -c box/pasted.toml --no-browser", 4, "no address was pasted"),
        ("init -c q.toml --grant developer_token --secret-from -", 2, "is empty"),
        ("init -c q.toml", 2, "grant is not given"),
        ("doctor -c box/all.toml --live jwt", 2, "agree to it all by --yes"),
    ],
)
def test_closed_standard_input_is_nobody_to_ask(words, code, told, box):
    """It is told, as where input is no terminal; no traceback."""
    text = (box.folder / "box/login.toml").read_text()
    elsewhere = 'redirect_uri = "https://elsewhere.example/"\nclient_id'
    pasted = box.folder / "box/pasted.toml"
    pasted.touch(0o600)
    pasted.write_text(text.replace("client_id", elsewhere, 1))
    done = closed(words, box.folder, "<&-", box.stage.env)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize(
    "words",
    ["token -c box/all.toml jwt", "export postman", "status -c box/all.toml"],
)
def test_a_result_that_cannot_be_written_is_an_error(words, unbuffered, box):
    """Exit 1 and why; whoever redirects to a full disk has not got the result."""
    env = {**box.stage.env, "PYTHONUNBUFFERED": unbuffered}
    done = closed(words, box.folder, ">/dev/full", env)
    assert done.returncode == 1
    assert "error: standard output cannot be written: no space" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_no_is_told_as_everywhere(box):
    """Exit 2 and what was left as it was; what is neither yes nor no is asked anew."""
    config = box.folder / "box/asked.toml"
    text = (box.folder / "box/all.toml").read_text()
    config.touch(0o600)
    config.write_text(text + '[proxy]\nca = "own"\n')
    words = shlex.split("ca -c box/asked.toml --renew")
    with Terminal(words, box.folder, box.stage.env) as terminal:
        terminal.wait_for("replace the own CA? [y/N]")
        terminal.type("perhaps\n")
        terminal.wait_for("error: that is neither yes nor no")
        terminal.type("n\n")
        assert terminal.ended() == 2
        assert "error: the own CA is as it was" in terminal.shown


def test_two_passwords_that_differ_are_asked_again(tmp_path):
    """In our manners, until they are the same."""
    words = ["user", "alice"]
    with Terminal(words, tmp_path, dict(os.environ)) as terminal:
        terminal.wait_for("password: ")
        terminal.type("correct horse battery\n")
        terminal.wait_for("once more: ")
        terminal.type("correct horse\n")
        terminal.wait_for("everbearer: error: the two are not the same\r\npassword: ")
        terminal.shown = ""
        terminal.type("correct horse battery\n")
        terminal.wait_for("once more: ")
        terminal.type("correct horse battery\n")
        assert terminal.ended() == 0
        assert "password_hash" in terminal.shown
