"""`everbearer ca` and `everbearer env`, typed beside a sandbox."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from everbearer.clients.system_trust import this_system

pytestmark = pytest.mark.real


@pytest.fixture
def own(box, tmp_path):
    """Write a configuration that wants the own CA, beside the sandbox's."""
    folder = box.folder / "box"
    path = folder / f"own-{tmp_path.name}.toml"
    text = (folder / "client_credentials.toml").read_text()
    path.write_text(text + '[proxy]\nca = "own"\n')
    path.chmod(0o600)
    yield path
    path.unlink()


@pytest.fixture
def shown(typed, own):
    """Type `ca`, which makes it, and return what it told."""
    return typed(f"ca -c {own} --json").json


def test_mitmproxys_ca_is_told(typed):
    """Where it will be, before any start has made it."""
    told = typed("ca -c box/all.toml").out
    assert re.search(r"kind\s+mitmproxy", told)
    assert ".mitmproxy/mitmproxy-ca-cert.pem" in told


def test_a_ca_that_is_not_there_yet_is_told(typed):
    """By `ca`, and by the recipe of a tool that is to trust it: what makes it."""
    for line in ("ca -c box/all.toml", "env -c box/all.toml --for curl"):
        done = typed(line)
        assert re.search(r"the first start of everbearer serve .*makes it", done.err)
        assert "first start" not in done.out
        assert "mitmproxy-ca-cert.pem" in done.out


def test_the_own_ca_is_told(shown):
    """Whom it may speak for, until when, and where its certificate is."""
    assert shown["kind"] == "own"
    assert set(shown["speaks_for"]) >= {"api.box.com", "dl.boxcloud.com"}
    assert Path(shown["certificate"]).exists()


@pytest.mark.parametrize("option", ["--install", "--renew"])
def test_mitmproxys_ca_is_never_given_to_the_system(typed, option):
    """Exit code 2, with the key that makes another."""
    done = typed(f"ca -c box/all.toml {option} --yes")
    assert done.code == 2
    assert 'ca = "own"' in done.err


def test_an_own_ca_is_uninstalled_whatever_the_configuration_says(typed, shown):
    """One that no longer wants it, or is gone, does not keep a root trusted."""
    if this_system(sys.platform, Path.home(), Path.is_dir) is None:
        pytest.skip("nobody knows how this system is told whom to trust")
    assert shown["kind"] == "own"
    for config in ("box/all.toml", "gone.toml"):
        done = typed(f"ca -c {config} --uninstall")
        assert "everbearer-own-ca.crt" in done.err or "remove-trusted" in done.err
        assert "--yes" in done.err


def test_where_no_own_ca_is_none_is_uninstalled(typed, monkeypatch, tmp_path):
    """Exit code 1: it says where it looked."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    done = typed("ca -c box/all.toml --uninstall --yes")
    assert done.code == 1
    assert str(tmp_path) in done.err


def test_nothing_is_run_that_nobody_confirmed(typed, own, tmp_path):
    """Without a terminal and without --yes the commands are shown, and not run."""
    done = typed(f"ca -c {own} --renew")
    assert done.code == 2
    assert "error: nobody can be asked: replace the own CA?" in done.err
    assert "hint: agree to it by --yes" in done.err


def test_hosts_beyond_the_own_ca_are_told(typed, own, shown, box):
    """By check, with the command; after it they are covered."""
    own.write_text(
        own.read_text() + '[[rules]]\nhosts = ["api.example.com"]\nprofiles = ["ccg"]\n'
    )
    warned = typed(f"check -c {own}").err
    assert "not made for api.example.com" in warned
    assert f"everbearer ca -c {box.folder / own} --renew" in warned
    renewed = typed(f"ca -c {own} --renew --yes --json").json
    assert "api.example.com" in renewed["speaks_for"]
    assert renewed["sha256"] != shown["sha256"]
    assert "not made for" not in typed(f"check -c {own}").err


def test_an_own_ca_decrypts_nothing_else(typed, own):
    """Hosts that no rule names cannot be inspected with it."""
    own.write_text(own.read_text() + 'unmatched_hosts = "inspect"\n')
    done = typed(f"check -c {own}")
    assert done.code == 2
    assert "proxy.unmatched_hosts" in done.err


def test_variables_are_for_eval(typed, own, monkeypatch):
    """A shell that evaluates them has the proxy, and files that are there."""
    for name in ("SSL_CERT_FILE", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    told = typed(f"env -c {own} --shell sh").out
    done = subprocess.run(
        ["sh", "-c", f'{told}\necho "$https_proxy $NO_PROXY $SSL_CERT_FILE"'],
        capture_output=True,
        text=True,
        check=True,
    )
    proxy, past, bundle = done.stdout.split()
    assert proxy == "http://127.0.0.1:8080"
    assert past == "localhost,127.0.0.1,::1"
    assert "BEGIN CERTIFICATE" in Path(bundle).read_text()
    again = typed(f"env -c {own} --shell fish").out
    assert "set -gx https_proxy 'http://127.0.0.1:8080';" in again


def test_without_a_ca_there_are_no_variables(typed):
    """What makes it is told."""
    done = typed("env -c box/all.toml")
    assert done.code == 1
    assert done.out == ""
    assert "everbearer serve" in done.err


def test_a_recipe_has_this_machines_paths(typed, own):
    """The one of curl is a command line that names proxy and certificate."""
    told = typed(f"env -c {own} --for curl").out
    words = shlex.split(told, comments=True)
    assert words[:3] == ["curl", "-x", "http://127.0.0.1:8080"]
    assert Path(words[4]).name == "ca.pem"


@pytest.mark.parametrize(("tool", "command"), [("shell", "env"), ("agent", "exec")])
def test_a_recipe_names_the_configuration(typed, own, tool, command):
    """The commands of ours that it has work on that one, wherever they are pasted."""
    told = typed(f"env -c {own} --for {tool}").out
    assert f"everbearer {command} -c /" in told
    assert not re.search(rf"everbearer {command} (?!-c)", told)


@pytest.mark.parametrize("option", ["", "--json"])
def test_the_doctor_names_the_configuration(typed, box, monkeypatch, option):
    """What it says to run works on the one that it looked at."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    told = typed(f"doctor --offline {option} -c box/all.toml").out
    config = box.folder / "box/all.toml"
    assert f"$(everbearer env -c {config})" in told
    assert f"everbearer exec -c {config} -- COMMAND" in told


@pytest.fixture
def with_users(typed, own):
    """Write a configuration whose proxy has users."""
    path = own.with_name("users.toml")
    path.touch(mode=0o600)
    path.write_text(own.read_text() + typed("user ada --generate").out)
    yield path
    path.unlink()


def test_curl_is_told_a_proxy_user_and_asks_for_the_password(typed, with_users):
    """No password is advised into a command line; without users none is named."""
    told = typed(f"env -c {with_users} --for curl")
    words = shlex.split(told.out, comments=True)
    assert words[1:5] == ["-x", "http://127.0.0.1:8080", "--proxy-user", "NAME"]
    assert "PASSWORD" not in told.out + told.err


@pytest.mark.parametrize("tool", ["", "--for newman"])
def test_elsewhere_a_file_keeps_the_password_out_of_arguments(tool, typed, with_users):
    """What takes the proxy by its URL alone is led to a file, not to a command line."""
    typed(f"ca -c {with_users}")  # which makes it
    told = typed(f"env -c {with_users} --shell sh {tool}")
    assert told.code == 0, told.err
    assert "in a file that only you can read" in told.err


def test_nobody_of_the_same_user_looks_into_the_proxy_of_a_command():
    """Linux: it is not dumpable, so that /proc and debuggers are root's."""
    if sys.platform != "linux":
        pytest.skip("prctl is Linux's")
    script = (
        "import ctypes; from everbearer.cli.unseen import forbid_looking_in as f;"
        "f(); print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
