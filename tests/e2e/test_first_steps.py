"""From an empty home by the README's first steps to an answered request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from config_file import unnamed
from harness import Place, Sandbox
from person import Person, typed
from test_import import credentials, network, said

ME = "https://api.box.com/2.0/users/me"


def asks(place: Place) -> subprocess.CompletedProcess[str]:
    """Type the README's line: a command that knows nothing of tokens."""
    return subprocess.run(
        [
            *[sys.executable, "-m", "everbearer", "exec", "--"],
            *["curl", "-s", "--fail-with-body", ME],
        ],
        env=place.env,
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def configured(place: Place, sandbox: Sandbox, *arguments: str) -> Path:
    """Make the first configuration, and tell it how to reach the sandbox."""
    said(place, "init", *arguments)
    path = place.root / "home/.config/everbearer/config.toml"
    return network(sandbox, path, path.read_text())


def test_an_app_with_a_login(place: Place, sandbox: Sandbox):
    """init, login, exec: a person's own access, the browser on another machine."""
    dev = credentials(sandbox)["dev"]
    path = configured(
        *(place, sandbox, "--grant", "refresh_token", "--client-id", dev["client_id"]),
        *("--secret-from", f"file:{sandbox.state / 'dev_client_secret.txt'}"),
    )
    text = path.read_text()
    line = f'authorize_url = "https://localhost:{sandbox.port}/api/oauth2/authorize"'
    path.write_text(text.replace("client_id", f"{line}\nclient_id", 1))
    before = asks(place)
    assert before.returncode != 0
    assert "everbearer login dev" in unnamed(before.stdout + before.stderr)

    login = typed(place, "login", "--no-browser")
    assert login.stdin is not None
    assert login.stdout is not None
    person = Person(place, sandbox)
    back = person.decides(login.stdout.readline().strip())
    person.web.close()
    _, told = login.communicate(f"{back}\n", timeout=60)
    assert login.returncode == 0, told
    assert "dev: logged in as Olivia Owner" in told

    answer = asks(place)
    assert (answer.returncode, '"Olivia Owner"' in answer.stdout) == (0, True)


def test_a_developer_token(place: Place, sandbox: Sandbox):
    """init, exec: the quickest way, for an hour."""
    configured(
        *(place, sandbox, "--grant", "developer_token"),
        *("--secret-from", f"file:{sandbox.state / 'developer_token.txt'}"),
    )
    answer = asks(place)
    assert (answer.returncode, '"type":"user"' in answer.stdout) == (0, True)
