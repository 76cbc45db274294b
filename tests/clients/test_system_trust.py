"""A system is told whom to trust, and no longer to."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.certificates import make_authority
from everbearer.clients.system_trust import (
    ARCH,
    DEBIAN,
    FEDORA,
    SUSE,
    Keychain,
    as_root,
    this_system,
)
from needs import lack, need

CA = Path("/data/ca.pem")


def test_debians_commands():
    """Copied as a .crt file, which is what update-ca-certificates looks for."""
    target = "/usr/local/share/ca-certificates/everbearer-own-ca.crt"
    assert DEBIAN.install(CA) == (
        ("install", "-m", "0644", str(CA), target),
        ("update-ca-certificates",),
    )
    assert DEBIAN.uninstall(CA) == (
        ("rm", "-f", target),
        ("update-ca-certificates", "--fresh"),
    )
    assert as_root(DEBIAN.install(CA))[1] == ("sudo", "update-ca-certificates")


def test_macos_commands():
    """The user's own keychain, which asks him; nothing is root's."""
    system = this_system("darwin", Path("/Users/me"), lambda _: False)
    assert system == Keychain(Path("/Users/me/Library/Keychains/login.keychain-db"))
    assert not system.needs_root
    assert system.install(CA) == (
        (
            *("security", "add-trusted-cert", "-r", "trustRoot"),
            *("-k", "/Users/me/Library/Keychains/login.keychain-db", str(CA)),
        ),
    )
    assert system.uninstall(CA) == (("security", "remove-trusted-cert", str(CA)),)


@pytest.mark.parametrize("system", [DEBIAN, FEDORA, SUSE, ARCH])
def test_a_linux_is_known_by_its_folder(system):
    """Each has its own."""
    found = this_system("linux", Path("/home/me"), lambda p: p == system.folder)
    assert found is system


def test_a_system_that_nobody_knows_is_none():
    """Nothing is guessed."""
    assert this_system("linux", Path("/home/me"), lambda _: False) is None


@pytest.mark.real
def test_debian_trusts_it_and_forgets_it(tmp_path):
    """With Debian's own program, in folders of this test."""
    openssl = need("openssl")
    path = "/usr/sbin:/sbin"
    program = shutil.which("update-ca-certificates", path=path)
    if program is None:
        lack("update-ca-certificates", "this is no Debian")
    local, etc, hooks = tmp_path / "local", tmp_path / "etc", tmp_path / "hooks"
    for each in (local, etc, hooks):
        each.mkdir()
    places = (
        *("--localcertsdir", str(local), "--etccertsdir", str(etc)),
        *("--hooksdir", str(hooks)),
    )
    system = replace(
        DEBIAN,
        folder=local,
        update=(program, *places),
        forget=(program, "--fresh", *places),
    )
    now = dt.datetime.now(dt.UTC)
    made = make_authority("test", ["box.com"], now, dt.timedelta(days=1))
    ca = tmp_path / "ca.pem"
    ca.write_text(made.certificate_pem())

    def trusted() -> bool:
        command = [openssl, "verify", "-CAfile", etc / "ca-certificates.crt", ca]
        return not subprocess.run(command, capture_output=True, check=False).returncode

    for words in system.install(ca):
        subprocess.run(words, check=True, capture_output=True)
    assert trusted()
    for words in system.uninstall(ca):
        subprocess.run(words, check=True, capture_output=True)
    assert not trusted()
