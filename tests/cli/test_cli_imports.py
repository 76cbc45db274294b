"""A command imports what it uses: nobody waits for the rest, and nothing else runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from everbearer.cli.main import COMMANDS

pytestmark = pytest.mark.real

PROXYING = {"mitmproxy", "ldap3", "flask", "urwid"}
ASKING = {"httpx", "jwt"}
HEAVY = PROXYING | ASKING
HEAVY |= {"argon2", "asyncio", "cryptography", "filelock", "keyring", "platformdirs"}
HEAVY |= {"psycopg", "pydantic", "rich", "sqlite3", "ssl", "tomlkit", "tornado"}

CONFIG = """
[profiles.dev]
provider = "box"
access_token = { env = "BOX_TOKEN" }
[store]
url = "sqlite:tokens.db"
key = { file = "store.key" }
"""

PROGRAM = """
import contextlib, io, json, sys
from everbearer.cli.main import run
told = {}
for line in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(line, "linux")
    names = sorted({name.partition(".")[0] for name in sys.modules})
    told[" ".join(line)] = code, names
print(json.dumps(told))
"""


def imported(
    lines: list[list[str]], env: dict[str, str] | None = None
) -> dict[str, tuple[int, set[str]]]:
    """Return each line's exit code, and what one process had imported after it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return {line: (code, set(names)) for line, (code, names) in told.items()}


def test_no_help_imports_anything_heavy():
    """Every command's `--help` answers at once, whatever the command needs later."""
    for line, (code, names) in imported([[n, "--help"] for n in COMMANDS]).items():
        assert code == 0
        assert names & HEAVY == set(), line


@pytest.mark.parametrize(
    ("line", "unused"),
    [
        ("check", PROXYING | ASKING | {"argon2", "filelock", "rich", "sqlite3"}),
        ("explain GET https://api.box.com/", PROXYING | ASKING | {"rich", "sqlite3"}),
        ("token", PROXYING | ASKING | {"argon2", "keyring", "rich", "tornado"}),
        ("status", PROXYING | ASKING | {"argon2", "keyring", "tornado"}),
        ("store path", PROXYING | ASKING | {"argon2", "rich", "sqlite3", "tornado"}),
        ("env --for curl", PROXYING | ASKING | {"argon2", "rich", "tornado"}),
        ("ca", PROXYING | ASKING | {"argon2", "rich", "sqlite3", "tornado"}),
    ],
)
def test_a_command_imports_no_other_commands_libraries(
    tmp_path: Path, line: str, unused: set[str]
):
    """Who does not proxy loads no proxy; who asks no server, no client for it."""
    tmp_path.chmod(0o700)
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    config.write_text(CONFIG)
    env = {"HOME": str(tmp_path), "BOX_TOKEN": "a-developer-token"}
    env["EVERBEARER_CONFIG"] = str(config)

    ((code, names),) = imported([line.split()], env).values()

    assert code == 0
    assert names & unused == set()
