"""From an empty home and another program's files to an answered request."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli

from config_file import unnamed
from harness import START, Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"


@pytest.fixture
def configuration(sandbox: Sandbox) -> Path:
    """Give what a user of the sandbox has to begin with: how to reach it."""
    return network(sandbox, sandbox.place.root / "home/.config/everbearer/config.toml")


def network(sandbox: Sandbox, path: Path, more: str = "") -> Path:
    """Put the sandbox's network at the end of a configuration."""
    whole = (sandbox.state / "all.toml").read_text()
    text = "# How to reach the sandbox.\n" + whole[whole.index("[network]") :]
    text = text.replace('"ca.pem"', json.dumps(str(sandbox.state / "ca.pem")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(more + text)
    path.chmod(0o600)
    return path


def credentials(sandbox: Sandbox) -> dict[str, Any]:
    """Return the sandbox's own profiles, with each secret in its place."""

    def filled(value: object) -> object:
        if not isinstance(value, dict):
            return value
        if "file" in value:
            return (sandbox.state / value["file"]).read_text().strip()
        return {key: filled(each) for key, each in value.items()}

    profiles = tomli.loads((sandbox.state / "all.toml").read_text())["profiles"]
    return {name: filled(profile) for name, profile in profiles.items()}


def exported(place: Place, **variables: str) -> Path:
    """Write an environment as Postman exports it."""
    path = place.root / "box.postman_environment.json"
    values = [{"key": k, "value": v, "enabled": True} for k, v in variables.items()]
    path.write_text(json.dumps({"name": "My Box", "values": values}))
    return path


def box_cli(place: Place, **environment: object) -> Path:
    """Keep an environment as the Box CLI does, in the home folder."""
    folder = place.root / "home/.box"
    folder.mkdir(parents=True)
    whole = {"default": "work", "environments": {"work": environment}}
    (folder / "box_environments.json").write_text(json.dumps(whole))
    return folder


def box_cli_login(place: Place, dev: dict[str, Any]) -> Path:
    """Keep a login as the Box CLI does; return the file with its tokens."""
    folder = box_cli(
        place,
        clientId=dev["client_id"],
        clientSecret=dev["client_secret"],
        authMethod="oauth20",
    )
    cache = folder / "work_token_cache.json"
    cache.write_text(json.dumps({"refreshToken": dev["refresh_token"]}))
    return cache


def said(place: Place, *arguments: str) -> str:
    """Run a command that succeeds; return everything that it said."""
    done = place.everbearer(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def answered(place: Place, configuration: Path, name: str) -> None:
    """See that a request through the proxy is answered to whom it should be."""
    proxy = Proxy(place, configuration)
    answer = proxy.curl(ME)
    assert (answer.status, answer.json["name"]) == (200, name)
    assert proxy.process.stop() == 0


@pytest.fixture
def no_secret(place: Place, sandbox: Sandbox) -> Callable[[str], None]:
    """Give a function that finds no secret in what was said, nor in configurations."""

    def check(told: str) -> None:
        found = sandbox.call("GET", "secrets")
        secrets = [*found["tokens"], *found["client_secrets"], found["passphrase"]]
        home = place.root / "home"
        told += "".join(path.read_text() for path in home.rglob("*.toml"))
        assert "PRIVATE KEY" not in told
        assert [secret for secret in secrets if secret and secret in told] == []
        for path in home.rglob("secrets/*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    return check


def test_the_file_of_the_developer_console(place, sandbox, configuration, no_secret):
    """After `import box-jwt` a request is answered, though the file is gone."""
    file = place.root / "downloaded.json"
    file.write_text((sandbox.state / "jwt_config.json").read_text())
    told = said(place, "import", "box-jwt", str(file))
    file.unlink()
    said(place, "check")
    assert said(place, "token", "jwt")
    answered(place, configuration, "JWT app")
    assert "# How to reach the sandbox." in configuration.read_text()
    no_secret(told)


def test_a_login_of_the_box_cli_is_moved(place, sandbox, configuration, no_secret):
    """After `import box-cli` we renew, and the Box CLI has no token any more."""
    cache = box_cli_login(place, credentials(sandbox)["dev"])
    told = said(place, "import", "box-cli", "--refresh-token", "move")
    assert "has to log in again" in told
    left = [path.name for path in cache.parent.iterdir()]
    assert left == ["box_environments.json"]
    said(place, "renew", "work")
    answered(place, configuration, "Olivia Owner")
    no_secret(told)


def test_a_login_of_the_box_cli_is_left(place, sandbox, configuration, no_secret):
    """Left where it is, the next thing to do is to log in, and the CLI goes on."""
    dev = credentials(sandbox)["dev"]
    cache = box_cli_login(place, dev)
    told = said(place, "import", "box-cli", "--refresh-token", "leave")
    assert "next: everbearer login work" in unnamed(told)
    assert dev["refresh_token"] in cache.read_text()
    assert "refresh_token =" not in configuration.read_text()
    no_secret(told)


def test_a_key_pair_of_the_box_cli(place, sandbox, configuration, no_secret):
    """Its files are read where the environment says, the key beside them too."""
    whole = json.loads((sandbox.state / "jwt_config.json").read_text())
    key = place.root / "key.pem"
    key.write_text(whole["boxAppSettings"]["appAuth"].pop("privateKey"))
    file = place.root / "config.json"
    file.write_text(json.dumps(whole))
    box_cli(
        place,
        boxConfigFilePath=str(file),
        hasInLinePrivateKey=False,
        privateKeyPath=str(key),
    )
    told = said(place, "import", "box-cli")
    key.unlink()
    file.unlink()
    answered(place, configuration, "JWT app")
    no_secret(told)


@pytest.mark.parametrize("kind", ["CCG", "OAUTH", "", "BEARER", "JWT"])
def test_an_environment_of_postman(place, sandbox, configuration, no_secret, kind):
    """After `import postman` a request is answered, whichever collection it is for."""
    profiles = credentials(sandbox)
    app = json.loads(profiles["jwt"]["jwt"])["boxAppSettings"]
    subject = profiles["ccg"]["subject"]
    variables = {
        "CCG": {
            **app_of(profiles["ccg"]),
            "box_subject_type": subject["type"],
            "box_subject_id": subject["id"],
        },
        "JWT": {
            "client_id": app["clientID"],
            "client_secret": app["clientSecret"],
            "key_id": app["appAuth"]["publicKeyID"],
            "private_key_encrypted": app["appAuth"]["privateKey"],
            "private_key_passphrase": app["appAuth"]["passphrase"],
            "box_subject_type": "enterprise",
            "box_subject_id": subject["id"],
        },
        "BEARER": {"access_token": profiles["devtoken"]["access_token"]},
    }.get(
        kind,
        app_of(profiles["dev"]) | {"refresh_token": profiles["dev"]["refresh_token"]},
    )
    file = exported(place, **variables, **({"box_env_type": kind} if kind else {}))
    told = said(place, "import", "postman", str(file), "--refresh-token", "move")
    assert ("empty the variable" in told) == (kind in {"", "OAUTH"})
    assert said(place, "token", "my-box")
    name = {"JWT": "JWT app", "CCG": "CCG app"}.get(kind, "Olivia Owner")
    answered(place, configuration, name)
    no_secret(told)


def app_of(profile: dict[str, str]) -> dict[str, str]:
    """Return what every grant has of the app."""
    return {key: profile[key] for key in ("client_id", "client_secret")}


def test_a_first_configuration(place, sandbox, no_secret):
    """After `init`, and told how to reach the sandbox, a request is answered."""
    ccg = credentials(sandbox)["ccg"]
    subject = f"{ccg['subject']['type']}:{ccg['subject']['id']}"
    told = said(
        place,
        *("init", "--grant", "client_credentials", "--client-id", ccg["client_id"]),
        *("--secret-from", f"file:{sandbox.state / 'ccg_client_secret.txt'}"),
        *("--subject", subject, "--profile", "mine"),
    )
    path = place.root / "home/.config/everbearer/config.toml"
    said(place, "check")
    network(sandbox, path, path.read_text())
    answered(place, path, "CCG app")
    no_secret(told)


def test_a_running_proxy_takes_an_import_over(place, sandbox, configuration, no_secret):
    """The file's change is all that a proxy needs to serve another profile."""
    file = exported(
        place, access_token=credentials(sandbox)["devtoken"]["access_token"]
    )
    said(place, "import", "postman", str(file), "--profile", "first")
    proxy = Proxy(place, configuration)
    told = said(place, "import", "box-jwt", str(sandbox.state / "jwt_config.json"))
    proxy.process.wait_for("is in force")
    assert proxy.curl(ME).json["name"] == "Olivia Owner"
    answer = proxy.curl("-H", "Everbearer-Profile: jwt", ME)
    assert answer.json["name"] == "JWT app"
    no_secret(told)


def test_imports_at_once_lose_nothing(place):
    """Of several at one file each is in it, or says that it was not written."""
    file = exported(place, access_token="s3cret")
    names = [f"p{number}" for number in range(6)]
    processes = [
        place.run(
            *(sys.executable, "-m", "everbearer", "import", "postman", str(file)),
            *("--profile", name, "-c", "here/config.toml"),
        )
        for name in names
    ]
    done = {}
    for name, process in zip(names, processes, strict=True):
        done[name] = process.child.wait(START) == 0
        process.stop()
        assert done[name] or "nothing was written" in process.output
    whole = tomli.loads((place.root / "here/config.toml").read_text())
    written = {name for name in names if done[name]}
    assert written
    assert set(whole["profiles"]) == written
    kept = {each.name for each in (place.root / "here/secrets").iterdir()}
    assert kept == {f"{name}-access-token" for name in written}
    assert place.everbearer("check", "-c", "here/config.toml").returncode == 0
