"""Imports from and into the keyring of a desktop session: a real Secret Service."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
import tomli

from harness import START, Place
from needs import need

LOGIN = {"clientId": "abc", "clientSecret": "s3cret-client", "authMethod": "oauth20"}
ENVIRONMENTS = json.dumps({"default": "work", "environments": {"work": LOGIN}})
CACHE = json.dumps({"accessToken": "s3cret", "refreshToken": "s3cret-refresh"})


# A session's own would start a second keyring, a locked one, for who asks before ours
# is there.
BUS = """<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Desktop:
    """A session bus with an unlocked keyring on it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        run = place.root / "run"
        run.mkdir(mode=0o700)
        config = place.root / "bus.conf"
        config.write_text(BUS)
        bus = place.run(
            *(need("dbus-daemon"), f"--config-file={config}"),
            *("--nofork", "--print-address"),
            XDG_RUNTIME_DIR=str(run),
        )
        self.env = {
            "DBUS_SESSION_BUS_ADDRESS": bus.wait_for("unix:.*")[0],
            "XDG_RUNTIME_DIR": str(run),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
        }
        daemon = need("gnome-keyring-daemon")
        options = "--foreground --unlock --components=secrets"
        place.run("sh", "-c", f"exec {daemon} {options} <<E\npw\nE\n", **self.env)
        deadline = time.monotonic() + START
        while self.tool("store", "--label=x", given="y", service="x", account="x")[0]:
            assert time.monotonic() < deadline, "no keyring came up"

    def tool(
        self, what: str, *options: str, given: str = "", **attributes: str
    ) -> tuple[int, str]:
        """Run libsecret's own program; return its exit code and what it printed."""
        words = [word for pair in attributes.items() for word in pair]
        done = subprocess.run(
            [need("secret-tool"), what, *options, *words],
            env=self.place.env | self.env,
            input=given,
            capture_output=True,
            text=True,
            timeout=START,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def desktop(place: Place) -> Desktop:
    """Give a desktop where the Box CLI has a login, kept as Node's keytar does."""
    (place.root / "home").mkdir()
    desktop = Desktop(place)
    for service, text in (("boxcli", ENVIRONMENTS), ("boxcli-token-work", CACHE)):
        stored = desktop.tool(
            "store", "--label=Box", given=text, service=service, account="Box"
        )
        assert stored == (0, "")
    return desktop


def test_a_login_goes_from_entry_to_entry(place, desktop):
    """It is found where the Box CLI keeps it, and moved to ours, not to a file."""
    done = place.everbearer(
        "import", "box-cli", "--refresh-token", "move", **desktop.env
    )
    assert done.returncode == 0, done.stderr
    path = place.root / "home/.config/everbearer/config.toml"
    profile = tomli.loads(path.read_text())["profiles"]["work"]
    assert profile["refresh_token"] == {"keyring": "everbearer/work-refresh-token"}
    ours = {"service": "everbearer", "username": "work-refresh-token"}
    assert desktop.tool("lookup", **ours) == (0, "s3cret-refresh")
    theirs = {"service": "boxcli-token-work", "account": "Box"}
    assert desktop.tool("lookup", **theirs) == (1, "")
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]
    assert place.everbearer("check", **desktop.env).returncode == 0
    assert "s3cret" not in done.stdout + done.stderr + path.read_text()


def test_a_refused_import_leaves_the_keyring(place, desktop):
    """A configuration that takes no profile leaves both sides as they were."""
    path = place.root / "home/.config/everbearer/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("frob = 1\n")
    done = place.everbearer(
        "import", "box-cli", "--refresh-token", "move", **desktop.env
    )
    assert done.returncode == 2
    assert desktop.tool("lookup", service="everbearer") == (1, "")
    theirs = {"service": "boxcli-token-work", "account": "Box"}
    assert desktop.tool("lookup", **theirs) == (0, CACHE)
