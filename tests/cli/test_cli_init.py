"""`everbearer init`: a first configuration, by options or by questions."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal import Terminal
from oauth.rsa_keys import pem

SECRET = "s3cret-of-the-client"
FILE = "--secrets file -c made/config.toml"
CONSOLE = {
    "boxAppSettings": {
        "clientID": "abc",
        "clientSecret": SECRET,
        "appAuth": {"publicKeyID": "kid", "privateKey": pem()},
    },
    "enterpriseID": "1",
}


def files(folder: Path) -> set[str]:
    """Return the files below, those of the home folder left out."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.parts[-2] != "home"
    }


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Put the secret where options can name it."""
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "console.json").write_text(json.dumps(CONSOLE))
    monkeypatch.setenv("MY_SECRET", SECRET)
    return files(tmp_path)


@pytest.mark.parametrize(
    ("options", "keys", "following"),
    [
        (
            "--grant refresh_token --client-id abc --secret-from env:MY_SECRET",
            ['grant = "refresh_token"', 'client_id = "abc"', "client_secret = {"],
            "login",
        ),
        (
            (
                "--grant client_credentials --client-id abc --subject user:42 "
                "--secret-from file:secret.txt"
            ),
            ['subject = { type = "user", id = "42" }', "client_secret = {"],
            "serve",
        ),
        ("--grant jwt_bearer --jwt console.json", ["jwt = { key_id"], "serve"),
        (
            "--grant developer_token --secret-from env:MY_SECRET",
            ["access_token = {"],
            "serve",
        ),
    ],
)
def test_a_configuration_by_options(
    sources, tmp_path, type_in, options, keys, following
):
    """It passes `check`, has comments and no secret; the next command is told."""
    typed = type_in(f"init {options} {FILE}")
    assert typed.code == 0, typed
    assert f"next: everbearer {following} -c " in typed.err.splitlines()[-1]
    path = tmp_path / "made/config.toml"
    text = path.read_text()
    assert SECRET not in text + typed.out + typed.err
    assert all(key in text for key in keys)
    assert text.startswith("# ")
    assert path.stat().st_mode & 0o777 == 0o600
    assert type_in("check -c made/config.toml").code == 0


def test_a_login_needs_an_address_registered(sources, type_in):
    """It is told with the next command, and not for a grant without a login."""
    told = "OAuth 2.0 Redirect URIs must have http://127.0.0.1/callback"
    secret = "--client-id abc --secret-from env:MY_SECRET"
    assert told in type_in(f"init --grant refresh_token {secret} {FILE}").err
    line = "init --grant developer_token --secret-from env:MY_SECRET -c other.toml"
    assert told not in type_in(f"{line} --secrets file").err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "grant is not given"),
        ("--grant refresh_token", "client id is not given"),
        ("--grant refresh_token --client-id abc", "client secret is not given"),
        (f"--grant developer_token --secret-from {SECRET}", "takes no secret"),
        ("--grant developer_token --secret-from env:ABSENT", "names is not set"),
        (f"--grant developer_token --secret-from env:{SECRET}", "name without $"),
        ("--jwt absent.json", "absent.json does not exist"),
        ("--grant developer_token --secret-from file:empty.txt", "token is empty"),
        ("--grant developer_token --secret-from file:absent", "does not exist"),
        ("--grant developer_token --client-id abc", "--client-id has no meaning"),
        ("--grant jwt_bearer", "--jwt FILE"),
        ("--grant jwt_bearer --jwt secret.txt", "no valid JSON"),
        (
            "--grant client_credentials --client-id abc --secret-from env:MY_SECRET",
            "error: subject is not given",
        ),
        (
            (
                "--grant client_credentials --client-id abc --secret-from env:MY_SECRET"
                " --subject 42"
            ),
            "enterprise:1234567",
        ),
        (
            "--grant refresh_token --client-id 'a b' --secret-from env:MY_SECRET",
            "client_id: is empty, or holds characters",
        ),
    ],
)
def test_what_is_missing_or_wrong(
    sources, tmp_path, type_in, options, words, monkeypatch
):
    """It is told with what to write; no secret is, and nothing is written."""
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody to ask
    typed = type_in(f"init {options} {FILE}")
    assert (typed.code, typed.out) == (2, "")
    assert words in typed.err
    assert SECRET not in typed.err
    assert files(tmp_path) == sources


@pytest.mark.parametrize("there", ["file", "link"])
def test_an_existing_configuration_is_left_alone(sources, tmp_path, type_in, there):
    """Even an empty one, or a link to nothing; what to do instead is told."""
    path = tmp_path / "made/config.toml"
    path.parent.mkdir()
    if there == "file":
        path.touch()
    else:
        path.symlink_to("absent")
    typed = type_in(f"init --grant developer_token --secret-from env:MY_SECRET {FILE}")
    assert typed.code == 2
    assert f"everbearer init -c {path} --profile NAME" in typed.err
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "options",
    [
        "--grant refresh_token --client-id abc --secret-from env:MY_SECRET",
        (
            "--grant client_credentials --client-id abc --subject user:42"
            " --secret-from env:MY_SECRET"
        ),
        "--grant jwt_bearer --jwt console.json",
        "--grant developer_token --secret-from env:MY_SECRET",
    ],
)
def test_a_profile_more(sources, tmp_path, type_in, options):
    """What is there stays, comments too; a dry run shows the change and is none."""
    first = "--grant developer_token --secret-from env:MY_SECRET"
    assert type_in(f"init {first} {FILE}").code == 0
    path = tmp_path / "made/config.toml"
    before = path.read_text() + "# mine\n"
    path.write_text(before)
    line = f"init {options} {FILE} --profile more"
    shown = type_in(f"{line} --dry-run")
    assert (shown.code, path.read_text()) == (0, before)
    typed = type_in(line)
    assert (typed.code, typed.out) == (0, shown.out)
    assert SECRET not in typed.out + typed.err
    assert "+[profiles.more]" in typed.out
    after = path.read_text()
    assert after.replace('default_profile = "dev"\n\n', "").startswith(before)
    assert type_in("check -c made/config.toml").code == 0


def test_a_profile_that_is_there_gets_other_credentials_when_told(
    sources, tmp_path, type_in
):
    """A developer token ends within the hour: --replace puts another in its place."""
    line = f"init --grant developer_token --profile dev {FILE} --secret-from"
    assert type_in(f"{line} env:MY_SECRET").code == 0
    (tmp_path / "next.txt").write_text("another-token")
    refused = type_in(f"{line} file:next.txt")
    assert (refused.code, "--replace" in refused.err) == (2, True)
    assert type_in(f"{line} file:next.txt --replace").code == 0
    kept = (tmp_path / "made/secrets").iterdir()
    assert "another-token\n" in [each.read_text() for each in kept]


def test_a_dry_run_writes_nothing(sources, tmp_path, type_in):
    """The configuration is shown, and not made."""
    typed = type_in(
        f"init --grant developer_token --secret-from env:MY_SECRET {FILE} --dry-run"
    )
    assert typed.code == 0
    assert '+access_token = { file = "secrets/dev-access-token" }' in typed.out
    assert SECRET not in typed.out + typed.err
    assert files(tmp_path) == sources


@pytest.mark.real
def test_a_secret_from_standard_input(tmp_path, here):
    """A pipe can give it, with or without a line break at its end."""
    line = f"init --grant developer_token --secret-from - {FILE}"
    subprocess.run(
        [sys.executable, "-m", "everbearer", *shlex.split(line)],
        cwd=here(tmp_path),
        input=f"{SECRET}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    kept = tmp_path / "made/secrets/dev-access-token"
    assert kept.read_text() == f"{SECRET}\n"


@pytest.mark.real
def test_standard_input_that_is_a_terminal_does_not_show_it(tmp_path, here):
    """Where `-` is a person's keyboard, what is typed is not shown."""
    words = shlex.split(f"init --grant developer_token --secret-from - {FILE}")
    with Terminal(words, here(tmp_path), dict(os.environ)) as terminal:
        terminal.wait_for("developer token: ")
        terminal.type(f"{SECRET}\n")
        assert terminal.ended() == 0, terminal.shown
        assert SECRET not in terminal.shown


@pytest.mark.real
def test_a_person_is_asked(tmp_path, here):
    """All is asked, once more after a slip; the secret is not shown as it is typed."""
    words = shlex.split(f"init {FILE}")
    with Terminal(words, here(tmp_path), dict(os.environ)) as terminal:
        assert "an app with client id" in terminal.wait_for("the name): ")
        terminal.type("5\n")
        assert "no such grant" in terminal.wait_for("one of: refresh_token")
        terminal.type("3\n")
        terminal.wait_for("client id: ")
        terminal.type("abc\n")
        terminal.wait_for("client secret: ")
        terminal.type(f"{SECRET}\n")
        terminal.wait_for("subject (enterprise:ID or user:ID): ")
        terminal.type("1\n")
        terminal.wait_for("for example: enterprise:1234567")
        terminal.type("enterprise:1\n")
        assert terminal.ended() == 0, terminal.shown
        assert SECRET not in terminal.shown
    kept = tmp_path / "made/secrets/dev-client-secret"
    assert kept.read_text() == f"{SECRET}\n"
