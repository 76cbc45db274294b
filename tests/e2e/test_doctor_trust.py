"""Who trusts the proxy's CA, as `everbearer doctor` finds by trying."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clinic import Clinic
from config_file import unnamed
from harness import Place, Sandbox
from needs import lack, need

CA_TOOLS = {"curl": "curl", "python ssl": "python3", "node": "node", "java": "javac"}


@pytest.fixture
def clinic(place: Place, sandbox: Sandbox) -> Clinic:
    """Give a set-up in which nothing is wrong."""
    return Clinic.of(place, sandbox)


def test_there_is_no_ca_yet(clinic: Clinic):
    """The proxy makes it; the doctor makes none."""
    line = clinic.line("CA", "--offline")
    assert (line["level"], unnamed(line["fix"])) == ("warn", "run: everbearer serve")
    assert not (clinic.place.root / "home" / ".mitmproxy").exists()
    clinic.make_ca()
    assert clinic.line("CA", "--offline")["level"] == "ok"


def trusting(ca: Path, folder: Path) -> dict[str, str]:
    """Return what makes each tool trust the CA."""
    keystore = folder / "trust.p12"
    subprocess.run(
        [
            *("keytool", "-importcert", "-noprompt", "-alias", "ca"),
            *("-file", str(ca), "-keystore", str(keystore), "-storepass", "changeit"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return {
        "CURL_CA_BUNDLE": str(ca),
        "SSL_CERT_FILE": str(ca),
        "NODE_EXTRA_CA_CERTS": str(ca),
        "JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={keystore}"
        " -Djavax.net.ssl.trustStorePassword=changeit",
    }


def test_who_trusts_the_ca(clinic: Clinic):
    """Each tool is really tried, with the user's variables."""
    for program in CA_TOOLS.values():
        need(program)
    ca = clinic.make_ca() / "mitmproxy-ca-cert.pem"
    names = {f"CA for {tool}" for tool in CA_TOOLS}

    def tried(**env: str) -> dict[str, dict[str, Any]]:
        told = clinic.ask("--offline", **env)["results"]
        found = {r["what"]: r for r in told if r["what"].startswith("CA for")}
        found.pop("CA for python requests")  # it may be here or not
        return found

    def trusting_ones(found: dict[str, dict[str, Any]]) -> set[str]:
        return {what for what, r in found.items() if r["detail"] == "trusted"}

    nobody = tried(HTTPS_PROXY=f"http://127.0.0.1:{clinic.port}")
    assert {nobody[what]["level"] for what in names} == {"warn"}
    for what in names:
        assert "everbearer exec -- " in unnamed(nobody[what]["fix"])
    # What the whole system need not do is no warning.
    assert nobody["CA for system"]["level"] == "ok"
    assert 'ca = "own"' in nobody["CA for system"]["detail"]
    everybody = tried(**trusting(ca, clinic.place.root))
    assert trusting_ones(everybody) == {*names, "CA for system"}
    assert trusting_ones(tried(NODE_EXTRA_CA_CERTS=str(ca))) == {"CA for node"}


def test_what_nothing_leads_to_the_proxy_need_not_trust_it(clinic: Clinic):
    """A sound set-up has no warnings that stay; once one tool trusts, the rest does."""
    for program in ("curl", "node"):
        need(program)
    ca = clinic.make_ca() / "mitmproxy-ca-cert.pem"
    told = clinic.ask("--offline")["results"]
    assert [each for each in told if each["level"] in {"warn", "fail"}] == []
    (curl,) = (each for each in told if each["what"] == "CA for curl")
    assert "everbearer exec -- curl" in curl["detail"]
    some = {"NODE_EXTRA_CA_CERTS": str(ca)}
    assert clinic.line("CA for curl", "--offline", **some)["level"] == "warn"


def test_requests_has_its_own_authorities(clinic: Clinic):
    """REQUESTS_CA_BUNDLE makes it trust, SSL_CERT_FILE does not."""
    ca = clinic.make_ca() / "mitmproxy-ca-cert.pem"
    venv = clinic.place.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
    done = subprocess.run(
        [venv / "bin" / "pip", "install", "-q", "requests"],
        check=False,
        capture_output=True,
        timeout=120,
    )
    if done.returncode:
        lack("requests", "requests cannot be installed here")
    path = f"{venv / 'bin'}{os.pathsep}{clinic.place.env['PATH']}"

    def level(**env: str) -> str:
        what = "CA for python requests"
        line = clinic.line(what, "--offline", PATH=path, **env)
        # The reason is whole, and not the words of what wraps it.
        assert "(_ssl.c:" in line["detail"] or line["level"] == "ok"
        return line["level"]

    assert level(SSL_CERT_FILE=str(ca)) == "warn"
    assert level(REQUESTS_CA_BUNDLE=str(ca)) == "ok"


def test_a_tool_that_is_not_there(clinic: Clinic):
    """Is skipped with the reason, and no warning."""
    clinic.make_ca()
    told = clinic.ask("--offline", PATH=str(clinic.place.root / "empty"))
    tools = [r for r in told["results"] if r["what"].startswith("CA for")]
    assert {r["level"] for r in tools} == {"skip"}
    assert all("is not installed" in r["detail"] for r in tools)


def test_a_tool_that_hangs_is_ended(clinic: Clinic):
    """With its children; the others are tried meanwhile."""
    clinic.make_ca()
    folder = clinic.place.root / "bin"
    folder.mkdir()
    marker = clinic.place.root / "child.pid"
    node = folder / "node"
    node.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {marker}\nwait\n")
    node.chmod(0o755)
    path = f"{folder}{os.pathsep}{clinic.place.env['PATH']}"

    told = clinic.ask("--offline", PATH=path)

    by_name = {r["what"]: r for r in told["results"]}
    assert "said nothing within" in by_name["CA for node"]["detail"]
    assert "everbearer exec -- curl" in by_name["CA for curl"]["detail"]
    child, deadline = int(marker.read_text()), time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2][:3]:
            break  # ended, and nobody has looked at how
    else:
        assert not Path(f"/proc/{child}").exists()
