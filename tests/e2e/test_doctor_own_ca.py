"""`everbearer doctor` where the CA is the user's own, and what mends it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from clinic import Clinic
from config_file import unnamed
from harness import Place, Sandbox
from needs import lack, need

TOOLS = {"curl": "curl", "python ssl": "python3", "node": "node", "java": "javac"}
NAMES = {f"CA for {tool}" for tool in TOOLS}
EVERBEARER = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m everbearer "$@"\n'


@pytest.fixture
def clinic(place: Place, sandbox: Sandbox) -> Clinic:
    """Give a set-up with a CA of its own, and `everbearer` on PATH."""
    clinic = Clinic.of(place, sandbox)
    clinic.config.write_text(clinic.config.read_text() + '[proxy]\nca = "own"\n')
    program(place, "everbearer", EVERBEARER)
    return clinic


def program(place: Place, name: str, text: str) -> None:
    """Write a program that the place's shell finds first."""
    path = place.root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def folder(clinic: Clinic) -> Path:
    """Return where the own CA is."""
    return clinic.place.root / "home" / ".local" / "share" / "everbearer" / "ca"


def told(clinic: Clinic, **env: str) -> dict[str, dict[str, Any]]:
    """Return every line by its name."""
    return {r["what"]: r for r in clinic.ask("--offline", **env)["results"]}


def trusting(found: dict[str, dict[str, Any]]) -> set[str]:
    """Return the tools that trust."""
    return {what for what, r in found.items() if r["detail"] == "trusted"}


def test_there_is_none_yet(clinic: Clinic):
    """What is told makes it; mitmproxy's is never asked for."""
    line = clinic.line("CA", "--offline")
    assert (line["level"], unnamed(line["fix"])) == ("warn", "run: everbearer ca")
    assert not folder(clinic).exists()
    clinic.mend(line["fix"])
    line = clinic.line("CA", "--offline")
    assert line["level"] == "ok"
    assert str(folder(clinic) / "ca.pem") in line["detail"]
    assert "api.box.com" in line["detail"]


def test_hosts_that_it_was_not_made_for(clinic: Clinic):
    """Are told, and covered by what mends it; the tools are shown one that it is."""
    clinic.mend("run: everbearer ca")
    text = clinic.config.read_text()
    rule = '[[rules]]\nhosts = ["api.example.com"]\nprofiles = ["dev"]\n'
    clinic.config.write_text(text + rule)
    line = clinic.line("CA", "--offline")
    assert line["level"] == "warn"
    assert "not made for api.example.com" in line["detail"]
    clinic.mend(f"{line['fix']} --yes")
    line = clinic.line("CA", "--offline")
    assert line["level"] == "ok"
    assert "api.example.com" in line["detail"]


def test_a_key_that_others_can_read(clinic: Clinic):
    """Nothing starts with it: the store's code, and one line that mends it."""
    clinic.mend("run: everbearer ca")
    for path, mode in ((folder(clinic), 0o755), (folder(clinic) / "ca-key.pem", 0o644)):
        path.chmod(mode)
        found = clinic.ask("--offline")
        (bad,) = (r for r in found["results"] if r["level"] == "fail")
        assert (bad["what"], found["exit_code"]) == ("file modes", 3)
        clinic.mend(bad["fix"])
        assert clinic.ask("--offline")["ok"]


def test_who_trusts_it(clinic: Clinic):
    """Nobody at first, and everybody in the shell that has the variables."""
    for each in TOOLS.values():
        need(each)
    clinic.mend("run: everbearer ca")
    nobody = told(clinic, HTTPS_PROXY=f"http://127.0.0.1:{clinic.port}")
    assert {nobody[what]["level"] for what in NAMES} == {"warn"}
    for what in NAMES:
        assert 'eval "$(everbearer env)"' in unnamed(nobody[what]["fix"])
    names = clinic.variables('eval "$(everbearer env)"')
    assert trusting(told(clinic, **names)) >= {*NAMES, "CA for system"}


def test_the_system_is_told(clinic: Clinic):
    """By the command that is named, with Debian's program in folders of this test."""
    need("openssl")
    place = clinic.place
    real = shutil.which("update-ca-certificates", path="/usr/sbin:/sbin")
    if real is None or not Path("/usr/local/share/ca-certificates").is_dir():
        lack("update-ca-certificates", "this is no Debian")
    local, etc, hooks = (place.root / name for name in ("local", "etc", "hooks"))
    for each in (local, etc, hooks):
        each.mkdir()
    program(place, "sudo", '#!/bin/sh\nexec "$@"\n')
    program(
        place, "install", f'#!/bin/sh\ncp "$3" {shlex.quote(str(local))}/"${{4##*/}}"\n'
    )
    options = f"--localcertsdir {local} --etccertsdir {etc} --hooksdir {hooks}"
    program(place, "update-ca-certificates", f"#!/bin/sh\nexec {real} {options}\n")
    clinic.mend("run: everbearer ca")
    bundle = {"SSL_CERT_FILE": str(etc / "ca-certificates.crt")}
    line = told(clinic, **bundle)["CA for system"]
    command = "everbearer ca --install"
    assert (line["level"], line["detail"].endswith(command)) == ("ok", True)
    clinic.mend(f"run: {command} --yes")
    assert told(clinic, **bundle)["CA for system"]["detail"] == "trusted"
