"""`everbearer user`: the lines that let somebody in, and no password in them."""

from __future__ import annotations

import io
import re
import sys

import pytest
import tomli

from everbearer.cli.main import run
from everbearer.secret import Secret
from everbearer.users.passwords import Argon2Hash

PASSWORD = "correct horse battery"


def said(monkeypatch, text: str) -> None:
    """Have *text* come by standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def accepts(toml: str, password: str) -> bool:
    """Tell whether the user printed has this password."""
    [user] = tomli.loads(toml)["proxy"]["users"]
    return Argon2Hash(Secret(user["password_hash"])).verify(Secret(password))


@pytest.mark.parametrize("end", ["\n", "\r\n", "", "\nmore\n"])
def test_a_password_comes_by_standard_input(monkeypatch, capsys, end):
    """Its first line; what is printed is the configuration, with the hash alone."""
    said(monkeypatch, PASSWORD + end)
    assert run(["user", "alice", "-p", "dev", "-p", "prod"], "linux") == 0
    out, err = capsys.readouterr()
    assert out.startswith('[[proxy.users]]\nname = "alice"\n')
    assert accepts(out, PASSWORD)
    assert tomli.loads(out)["proxy"]["users"][0]["profiles"] == ["dev", "prod"]
    assert PASSWORD not in out + err


def test_a_generated_password_is_told_apart_from_the_result(capsys):
    """It goes to standard error once; the lines may be appended to the file."""
    assert run(["user", "alice", "--generate"], "linux") == 0
    out, err = capsys.readouterr()
    password = re.search(r"told once: (\S{43})$", err.strip())[1]
    assert accepts(out, password)
    assert password not in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["alice"], "too short\n"),
        (["alice"], ""),
        (["alice"], "x" * 1025 + "\n"),
        (["alice"], "with a control \x07 character\n"),
        (["al:ice"], PASSWORD),
        (["alice", PASSWORD], ""),
    ],
)
def test_what_cannot_be_a_user_is_refused(monkeypatch, capsys, arguments, text):
    """A short or unprintable password, a name of other characters, an argument."""
    said(monkeypatch, text)
    assert run(["user", *arguments], "linux") == 2
    assert capsys.readouterr().out == ""
