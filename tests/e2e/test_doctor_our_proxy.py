"""`everbearer doctor` beside proxies of ours that let only their users in."""

from __future__ import annotations

import json
import sys

import pytest

from canary import Canaries
from clinic import Clinic
from harness import Place, Proxy, Sandbox, curl
from needs import need
from ports import unused_port
from running import Exec
from users_stage import PASSWORDS, user

TOOLS = {"curl": "curl", "python ssl": "python3", "node": "node", "java": "javac"}


@pytest.fixture
def clinic(place: Place, sandbox: Sandbox) -> Clinic:
    """Give a set-up in which nothing is wrong."""
    return Clinic.of(place, sandbox)


def test_a_port_that_only_users_are_let_in_at(clinic: Clinic):
    """Refused with 407, or 401 at a reverse listener, it is ours all the same."""
    other = unused_port()
    reverse = 'reverse = "https://api.box.com"\nprofile = "dev"\n'
    clinic.config.write_text(
        clinic.config.read_text()
        + f'[[listeners]]\naddress = "127.0.0.1:{other}"\n{reverse}'
        + user("carol", PASSWORDS["carol"])
    )
    proxy = Proxy(clinic.place, clinic.config, listen=f"127.0.0.1:{clinic.port}")
    answer = curl("-x", proxy.url, "http://everbearer.invalid/")
    assert answer.status == 407
    assert answer.fields["proxy-status"].startswith("everbearer; ")
    for port in (clinic.port, other):
        line = clinic.line(f"port 127.0.0.1:{port}", "--offline")
        assert line["level"] == "ok", line
        assert "an everbearer serves there" in line["detail"]
    named = f"http://carol:{PASSWORDS['carol'].replace(' ', '%20')}@127.0.0.1"
    for port in (clinic.port, other):
        ours = {"HTTPS_PROXY": f"{named}:{port}"}
        told = clinic.ask("--offline", **ours)
        (line,) = (r for r in told["results"] if r["what"] == "proxy variables")
        assert (line["level"] == "ok") is (port == clinic.port), line
        assert "battery" not in json.dumps(told)
        assert "everything%20there" not in json.dumps(told)


def test_the_doctor_under_exec(clinic: Clinic):
    """Tools are shown what the run's proxy shows, and trust it; nothing is asked."""
    for each in TOOLS.values():
        need(each)
    command = [sys.executable, "-m", "everbearer", "doctor", "-c", str(clinic.config)]
    clinic.ask()
    clinic.sandbox.forget()

    done = Exec(clinic.place, clinic.config).run(*command, "--json")

    told = json.loads(done.stdout)
    found = {r["what"]: r for r in told["results"]}
    assert done.returncode == 0, told
    assert found["proxy variables"]["level"] == "ok", found
    assert "everbearer at http://127.0.0.1:" in found["CA"]["detail"]
    for name in (*TOOLS, "system"):
        assert found[f"CA for {name}"]["detail"] == "trusted", found
    assert found[f"port 127.0.0.1:{clinic.port}"]["detail"] == "free"
    assert clinic.sandbox.requests(method="GET", path="/") == []
    for trouble in ("not let in", "421", "does not trust"):
        assert trouble not in done.stderr
    assert not Canaries(clinic.sandbox).in_text(done.stdout + done.stderr)


def test_the_doctor_under_exec_offline(clinic: Clinic):
    """The run's proxy would reach a server: left out, and told."""
    command = [sys.executable, "-m", "everbearer", "doctor", "-c", str(clinic.config)]
    done = Exec(clinic.place, clinic.config).run(*command, "--offline", "--json")
    found = {r["what"]: r for r in json.loads(done.stdout)["results"]}
    assert found["CA"]["level"] == "skip"
    assert "--offline" in found["CA"]["detail"]
    assert found["proxy variables"]["level"] == "ok", found


def test_a_tool_that_does_not_trust_the_runs_proxy(clinic: Clinic):
    """As with a bundle of the user's own, set behind exec's back: told of it alone."""
    need("curl")
    empty = clinic.place.root / "empty.pem"
    empty.touch()
    doctor = [sys.executable, "-m", "everbearer", "doctor", "-c", str(clinic.config)]
    command = ["env", f"CURL_CA_BUNDLE={empty}", *doctor, "--json"]
    done = Exec(clinic.place, clinic.config).run(*command)
    found = {r["what"]: r for r in json.loads(done.stdout)["results"]}
    assert found["CA for curl"]["level"] == "warn", found
    assert found["CA for python ssl"]["detail"] == "trusted", found


def test_a_proxy_of_ours_that_reaches_nobody(clinic: Clinic):
    """Shows nothing: the tools are not blamed."""
    proxy = Proxy(clinic.place, clinic.config)
    clinic.sandbox.process.stop()
    told = clinic.ask(HTTPS_PROXY=proxy.url)
    found = {r["what"]: r for r in told["results"]}
    assert found["CA"]["level"] == "skip", found
    assert "502" in found["CA"]["detail"]
    assert "CA for curl" not in found
