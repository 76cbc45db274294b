"""`everbearer import`: what it refuses, what it says, and what it leaves undone."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Typed
from cli.terminal import Terminal
from oauth.rsa_keys import PASSPHRASE, pem

SECRET = "s3cret-of-the-client"
SEED = "s3cret-refresh"
LOGIN = {"clientId": "abc", "clientSecret": SECRET, "authMethod": "oauth20"}


def console_file(**changes: object) -> dict[str, Any]:
    """Return the file of the developer console, with changes to its key."""
    key = {
        "publicKeyID": "kid",
        "privateKey": pem(passphrase=PASSPHRASE),
        "passphrase": PASSPHRASE,
    }
    return {
        "boxAppSettings": {
            "clientID": "abc",
            "clientSecret": SECRET,
            "appAuth": key | changes,
        },
        "enterpriseID": "1",
    }


def exported(**variables: str) -> dict[str, Any]:
    """Return an environment as Postman exports it."""
    values = [{"key": key, "value": value} for key, value in variables.items()]
    return {"name": "My Box", "values": values}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every name below, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


class Typist:
    """Types import commands in a folder of files."""

    def __init__(self, folder: Path, type_in: Callable[..., Typed]) -> None:
        self.folder = folder
        self._type_in = type_in

    def write(self, name: str, content: object) -> None:
        """Write a file of another program."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)

    def box_cli(self, **environments: object) -> None:
        """Write what the Box CLI keeps."""
        self.write("box/box_environments.json", {"environments": environments})
        self.write("box/my_token_cache.json", {"refreshToken": SEED})

    def type(self, line: str) -> Typed:
        """Type a command; whatever it says, it tells no secret."""
        typed = self._type_in(f"import {line} -c made/config.toml --secrets file")
        for secret in (SECRET, SEED, PASSPHRASE, "PRIVATE KEY"):
            assert secret not in typed.out + typed.err
        for text in typed.err.splitlines():
            assert text.startswith("everbearer: ")
        return typed

    def refused(self, line: str) -> str:
        """Type a command that fails and leaves everything as it was."""
        before = snapshot(self.folder)
        typed = self.type(line)
        assert (typed.code, typed.out) == (2, ""), typed
        assert snapshot(self.folder) == before
        return typed.err


@pytest.fixture
def typist(tmp_path, type_in, monkeypatch) -> Typist:
    """Give an empty folder, which is the current one; there is nobody to ask."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "home").mkdir()
    return Typist(tmp_path, type_in)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no valid JSON at line 1, column 2; download the file from Box again"),
        ("[]", "no JSON object"),
        ({}, "boxAppSettings is missing"),
        (console_file(passphrase=""), "is encrypted; give its passphrase"),
        (console_file(passphrase="s3cret-wrong"), "the passphrase is wrong"),
        (console_file(privateKey="s3cret"), "no private key in PEM form"),
        (console_file() | {"enterpriseID": None}, "enterpriseID is missing"),
        ({"boxAppSettings": {"clientID": "a", "clientSecret": ""}}, "clientSecret is"),
    ],
)
def test_a_bad_file_of_the_console(typist, content, words):
    """It is named, with what is wrong; nothing is written."""
    typist.write("box.json", content)
    told = typist.refused("box-jwt box.json")
    assert "box.json: " in told
    assert words in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"info": {}, "item": []}, "export the environment"),
        (exported(client_id="{{client_id}}"), "client_id is not filled in"),
        (
            exported(client_id="abc", client_secret="", box_env_type="OAUTH"),
            "client_secret is not filled in; fill it in and export again",
        ),
    ],
)
def test_a_bad_environment_of_postman(typist, content, words):
    """What is not filled in is named, with what to do."""
    typist.write("box.json", content)
    assert words in typist.refused("postman box.json")


def test_two_environments_of_the_box_cli(typist):
    """One has to be named; the names are told."""
    typist.box_cli(my=LOGIN, other=LOGIN)
    assert "--environment: my, other" in typist.refused("box-cli box")
    kept = {"default": "other", "environments": {"my": LOGIN, "other": LOGIN}}
    typist.write("box/box_environments.json", kept)
    told = typist.refused("box-cli box")
    assert "--environment: my, other (the Box CLI's default)" in told
    typed = typist.type("box-cli box --environment my --refresh-token leave")
    assert (typed.code, "next: everbearer login" in typed.err) == (0, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("box-jwt absent.json", "absent.json does not exist"),
        ("postman .", "is a folder"),
        ("box-cli absent", "has no environments in absent"),
    ],
)
def test_a_file_that_is_not_there(typist, line, words):
    """It is named, with what to do."""
    assert words in typist.refused(line)


def test_a_refresh_token_is_never_moved_unasked(typist):
    """With nobody to ask, both ways are told, and the Box CLI keeps its login."""
    typist.box_cli(my=LOGIN)
    told = typist.refused("box-cli box")
    assert "the Box CLI loses it and has to log in again" in told
    assert "--refresh-token move, or --refresh-token leave" in told
    typist.write(
        "box.json", exported(client_id="a", client_secret=SECRET, refresh_token=SEED)
    )
    assert "--refresh-token leave" in typist.refused("postman box.json")


def test_a_moved_refresh_token_is_in_one_place(typist):
    """It is with us and no more with the Box CLI."""
    typist.box_cli(my=LOGIN)
    assert typist.type("box-cli box --refresh-token move").code == 0
    places = [
        name for name, text in snapshot(typist.folder).items() if SEED.encode() in text
    ]
    assert places == ["made/secrets/my-refresh-token"]


def test_a_refresh_token_that_is_left_is_not_copied(typist):
    """Left to Postman, or the Box CLI, it is nowhere with us."""
    typist.write(
        "postman.json",
        exported(client_id="a", client_secret=SECRET, refresh_token=SEED),
    )
    typist.box_cli(my=LOGIN)
    before = snapshot(typist.folder)
    for line in ("postman postman.json", "box-cli box"):
        assert typist.type(f"{line} --refresh-token leave").code == 0
    after = snapshot(typist.folder)
    assert before.items() < after.items()
    made = [text for name, text in after.items() if name not in before]
    assert not any(SEED.encode() in text for text in made)


def test_what_only_a_start_would_find_is_found(typist):
    """A configuration that loads, and that `check` refuses all the same, is left."""
    typist.write("console.json", console_file())
    typist.write("made/ca.pem", "no certificate")
    typist.write("made/config.toml", '[network]\nca_file = "ca.pem"\n')
    assert "ca" in typist.refused("box-jwt console.json")


@pytest.mark.parametrize("toml", ["frob = 5\n", '[profiles.my]\nprovider = "box"\n'])
def test_a_refused_import_moves_nothing(typist, toml):
    """A configuration that cannot take the profile leaves the Box CLI its login."""
    typist.box_cli(my=LOGIN)
    typist.write("made/config.toml", toml)
    assert "nothing was written" in typist.refused("box-cli box --refresh-token move")


@pytest.mark.parametrize(
    "line",
    [
        "box-jwt console.json",
        "postman postman.json",
        "box-cli box",
        "box-cli box --refresh-token move",
        "box-jwt console.json --profile there --replace",
    ],
)
def test_a_dry_run_writes_nothing(typist, line):
    """What would change is shown, without a secret; nothing is asked or made."""
    typist.write("console.json", console_file())
    typist.box_cli(my=LOGIN)
    typist.write(
        "postman.json",
        exported(client_id="abc", client_secret=SECRET, refresh_token=SEED),
    )
    if "--replace" in line:
        typist.write(
            "made/config.toml",
            f'[profiles.there]\nprovider = "box"\naccess_token = "{SECRET}"\n',
        )
    before = snapshot(typist.folder)
    typed = typist.type(f"{line} --dry-run")
    assert typed.code == 0, typed
    assert snapshot(typist.folder) == before
    assert 'client_secret = { file = "secrets/' in typed.out
    assert "dry run" in typed.err


def test_what_was_written_is_told(typist):
    """The change is the result; the rest says where all is and what comes next."""
    typist.write("console.json", console_file())
    typed = typist.type("box-jwt console.json")
    assert typed.code == 0
    assert typed.out.startswith("@@ -0,0 +1,")
    for words in (
        "made ",
        "secrets/jwt-client-secret",
        "console.json still holds the secrets",
    ):
        assert words in typed.err
    following = f"next: everbearer serve -c {typist.folder}/made/config.toml\n"
    assert typed.err.endswith(following)
    again = typist.type("box-jwt console.json --profile second")
    assert "default_profile is jwt" in again.err
    shown_by = f"next: everbearer exec -c {typist.folder}/made/config.toml -p second --"
    assert shown_by in again.err
    third = typist.type("box-jwt console.json --replace")
    assert "file secrets/jwt-passphrase is not used any more" in third.err


def test_no_secret_is_in_what_is_written(typist):
    """Secrets are in their own files alone, which nobody else can read."""
    typist.write("console.json", console_file())
    typist.type("box-jwt console.json")
    made = typist.folder / "made"
    for path in made.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            text = path.read_text()
            for secret in (SECRET, PASSPHRASE, "PRIVATE KEY"):
                assert secret not in text
        elif path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.real
@pytest.mark.parametrize(("answer", "moved"), [("y", True), ("n", False)])
def test_a_person_is_asked(typist, here, answer, moved):
    """On a terminal the consequence is told, and yes and no are what they say."""
    typist.box_cli(my=LOGIN)
    before = snapshot(typist.folder)
    line = "import box-cli box -c made/config.toml --secrets file"
    with Terminal(shlex.split(line), here(typist.folder), dict(os.environ)) as terminal:
        said = terminal.wait_for("move it?")
        assert "has to log in again" in said
        terminal.type(f"{answer}\n")
        assert terminal.ended() == (0 if moved else 2)
    assert (typist.folder / "box/my_token_cache.json").exists() != moved
    if not moved:
        assert snapshot(typist.folder) == before
