"""Mistakes in the configuration: told at once, with places and corrected forms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from config_file import errors_of, private
from harness import Place, Sandbox

SECRET = "canary-7f3a-secret"


TEN_MISTAKES = """
default_profile = "prodd"

[prxy]
redact = true

[profiles.dev]
provider = "bux"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "NO_SUCH_VARIABLE" }

[profiles.prod]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { file = "open.txt" }
subject = { type = "enterprize", id = "1" }

[profiles.third]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = { file = "nowhere.txt" }
refresh_tokn = { file = "private.txt" }

[[rules]]
hosts = ["https://api.box.com/"]
profiles = ["prod"]

[network]
upstream_proxy = "https://proxy"
"""

TEN_PLACES = {
    "default_profile": '"prod"',
    "prxy": "proxy",
    "profiles.dev.provider": '"box"',
    "profiles.dev.client_secret.env": "export NO_SUCH_VARIABLE=",
    "profiles.prod.client_secret.file": "chmod 600",
    "profiles.prod.subject.type": '"enterprise"',
    "profiles.third.client_secret.file": "create it",
    "profiles.third.refresh_tokn": "refresh_token",
    "rules[0].hosts[0]": '"api.box.com"',
    "network.upstream_proxy": '"http://proxy:3128"',
}
"""Where the mistakes are, and a part of each corrected form."""


@pytest.mark.parametrize("command", ["check", "serve", "status", "renew"])
def test_ten_mistakes_are_told_in_one_run(place: Place, command: str):
    """Each has its path and the corrected form, an unknown key the nearest one."""
    private(place.root / "private.txt", SECRET)
    private(place.root / "open.txt", SECRET).chmod(0o644)
    config = private(place.root / "config.toml", TEN_MISTAKES)

    done = place.everbearer(command, "-c", str(config))

    assert done.returncode == 2
    told = done.stderr
    assert sorted(line.partition(": ")[0] for line in errors_of(told)) == sorted(
        TEN_PLACES
    )
    told_of = {text.partition(": ")[0]: text for text in told.split("error: ")}
    for where, corrected in TEN_PLACES.items():
        assert corrected in told_of[where]
    assert "Traceback" not in told
    assert SECRET not in told


def missing(place: Place) -> Path:
    """Name a file that is not there."""
    return place.root / "nowhere.toml"


def folder(place: Place) -> Path:
    """Name a folder."""
    return place.root


def no_toml(place: Place) -> Path:
    """Break a string off that holds a secret."""
    return private(place.root / "bad.toml", f'default_profile = "{SECRET}\n')


def no_utf8(place: Place) -> Path:
    """Write a byte that no UTF-8 has."""
    path = private(place.root / "bad.toml", "")
    path.write_bytes(f'default_profile = "{SECRET}'.encode() + b'\xff"\n')
    return path


def no_secret_of_ones_own(place: Place) -> Path:
    """Let everybody read the one secret of a sound configuration."""
    private(place.root / "open.txt", SECRET).chmod(0o604)
    text = """
    [profiles.ccg]
    provider = "box"
    grant = "client_credentials"
    client_id = "id"
    client_secret = { file = "open.txt" }
    subject = { type = "enterprise", id = "1" }
    """
    return private(place.root / "config.toml", text)


UNUSABLE = {
    missing: "does not exist",
    folder: "is a folder",
    no_toml: "is not TOML in line 1",
    no_utf8: "is not UTF-8 text in line 1",
    no_secret_of_ones_own: "open.txt is open to others",
}


@pytest.mark.parametrize("command", ["check", "serve", "status"])
@pytest.mark.parametrize("kind", UNUSABLE, ids=lambda kind: kind.__name__)
def test_what_cannot_be_used_is_one_clear_message(
    place: Place, kind: Any, command: str
):
    """Exit 2, one error that names the path, a hint; no traceback, no secret."""
    config = kind(place)

    done = place.everbearer(command, "-c", str(config))

    assert done.returncode == 2
    (error,) = errors_of(done.stderr)
    assert UNUSABLE[kind] in error
    assert str(place.root) in error
    assert "everbearer: hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


def test_status_shows_what_is_sound(place: Place, sandbox: Sandbox):
    """Of two profiles one has a mistake: the other's state is shown all the same."""
    config = sandbox.config("two")
    assert place.everbearer("renew", "-c", str(config), "ccg").returncode == 0
    text = config.read_text().replace("jwt_config.json", "nowhere.json")
    private(config, text)

    people = place.everbearer("status", "-c", str(config))
    programs = place.everbearer("status", "--json", "-c", str(config))

    assert people.returncode == programs.returncode == 2
    assert "profiles.jwt.jwt.file" in errors_of(people.stderr)[0]
    assert "keeps the configuration that it had" in people.stderr
    assert re.search(r"^ccg +client_credentials .* fresh ", people.stdout, re.MULTILINE)
    told = json.loads(programs.stdout)
    assert [problem["path"] for problem in told["problems"]] == [
        "profiles.jwt.jwt.file"
    ]
    states = {profile["name"]: profile["state"] for profile in told["profiles"]}
    assert states == {"dev": "none", "ccg": "fresh", "devtoken": "fresh"}


def test_status_guesses_no_store(place: Place, sandbox: Sandbox):
    """Where the store or the servers' addresses are wrong no profile is shown."""
    config = sandbox.config("config", source="client_credentials")
    private(config, config.read_text().replace("sqlite:", "sqlite://"))
    told = place.everbearer("status", "--json", "-c", str(config))
    assert told.returncode == 2
    assert json.loads(told.stdout)["profiles"] == []
