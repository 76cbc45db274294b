"""`everbearer doctor` in set-ups that are broken, and mended by what it says."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest

from canary import Canaries
from clinic import Clinic
from config_file import unnamed
from harness import Place, Proxy, Sandbox
from ports import unused_port


@pytest.fixture
def clinic(place: Place, sandbox: Sandbox) -> Clinic:
    """Give a set-up in which nothing is wrong."""
    return Clinic.of(place, sandbox)


def test_a_healthy_set_up(clinic: Clinic):
    """Everything is ok or a tool that has to be told; nothing secret is said."""
    clinic.make_ca()

    done = clinic.place.everbearer("doctor", "-c", str(clinic.config))

    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert {line[:5].strip() for line in lines} <= {"ok", "warn", "skip", ""}
    for what in ("configuration", "file modes", "store", "server", "clock", "port"):
        assert any(line.startswith(f"ok    {what}") for line in lines), what
    for name in ("dev", "jwt", "ccg"):
        assert any(f"token of {name}: obtained" in line for line in lines)
    assert "NOT THE REAL BOX" in done.stderr
    assert not Canaries(clinic.sandbox).in_text(done.stdout + done.stderr)


def test_a_second_visit_redeems_nothing(clinic: Clinic):
    """A token is obtained as by a request: what is fresh is not renewed."""
    clinic.ask()
    clinic.sandbox.forget()
    told = clinic.ask()
    assert told["ok"]
    assert clinic.sandbox.token_requests() == []


def test_offline_asks_nobody(clinic: Clinic):
    """No server hears of it."""
    clinic.sandbox.forget()
    told = clinic.ask("--offline")
    assert told["ok"]
    assert clinic.sandbox.requests() == []
    skipped = {r["what"] for r in told["results"] if r["level"] == "skip"}
    assert {"server", "token"} <= skipped


@pytest.mark.parametrize("name", ["mine.toml", "refresh_token.txt"])
def test_a_file_open_to_others(clinic: Clinic, name: str):
    """The command that is told closes it."""
    path = clinic.sandbox.state / name
    path.chmod(0o666)

    line = clinic.line("configuration", "--offline")

    assert (line["level"], line["code"]) == ("fail", 2)
    assert str(path) in line["detail"]
    clinic.mend(line["fix"])
    assert clinic.line("configuration", "--offline")["level"] == "ok"


def test_modes_of_the_store_and_the_ca(clinic: Clinic):
    """Each file has its line, and every command mends one."""
    home = clinic.make_ca()
    clinic.ask()
    open_ones = [
        clinic.sandbox.state / "tokens.db",
        clinic.sandbox.state / "store.key",
        home / "mitmproxy-ca.pem",
    ]
    for path in open_ones:
        path.chmod(0o644)

    told = clinic.ask()

    bad = [r for r in told["results"] if r["level"] == "fail"]
    assert [r["what"] for r in bad] == ["file modes"] * 3
    assert told["exit_code"] == 3
    for result in bad:
        clinic.mend(result["fix"])
    assert clinic.ask()["ok"]
    assert {path.stat().st_mode & 0o777 for path in open_ones} == {0o600}


def test_a_lost_key(clinic: Clinic):
    """Nothing is made in its place; it can be brought back."""
    clinic.ask()
    key = clinic.sandbox.state / "store.key"
    away = key.rename(clinic.place.root / "copy.key")

    line = clinic.line("store")

    assert (line["level"], line["code"]) == ("fail", 3)
    assert "bring the key back" in line["fix"]
    assert not key.exists()
    away.rename(key)
    assert clinic.ask()["ok"]


def test_a_port_that_is_taken(clinic: Clinic):
    """By a stranger: told, with a port that is free instead."""
    with socket.create_server(("127.0.0.1", clinic.port)):
        line = clinic.line(f"port 127.0.0.1:{clinic.port}", "--offline")
        assert (line["level"], line["code"]) == ("fail", 2)
        assert f"lsof -nP -iTCP:{clinic.port}" in line["fix"]
        assert "everbearer serve --listen 127.0.0.1:0" in unnamed(line["fix"])
        Proxy(clinic.place, clinic.config, listen="127.0.0.1:0").process.stop()


def test_a_port_that_everbearer_has(clinic: Clinic):
    """By a proxy of ours, which is what is wanted."""
    proxy = Proxy(clinic.place, clinic.config, listen=f"127.0.0.1:{clinic.port}")
    line = clinic.line(f"port 127.0.0.1:{clinic.port}", "--offline")
    assert line["level"] == "ok"
    assert "an everbearer serves there" in line["detail"]
    proxy.process.stop()


def test_a_port_that_a_bare_mitmproxy_has(clinic: Clinic):
    """Which is none of ours, though everbearer is made of it."""
    program = Path(sys.executable).with_name("mitmdump")
    home = clinic.place.root / "other"
    process = clinic.place.run(
        str(program), "--listen-port", str(clinic.port), "--set", f"confdir={home}"
    )
    process.wait_for("proxy listening")
    line = clinic.line(f"port 127.0.0.1:{clinic.port}", "--offline")
    assert line["level"] == "fail"


def test_a_server_that_is_not_reached(clinic: Clinic):
    """One line, no attempt for a token, and a hint to the proxy that leads out."""
    text = clinic.config.read_text()
    clinic.config.write_text(
        text.replace(
            f'"api.box.com:443" = "127.0.0.1:{clinic.sandbox.port}"',
            f'"api.box.com:443" = "127.0.0.1:{unused_port()}"',
        )
    )

    told = clinic.ask(HTTPS_PROXY="http://me:c4nary@corp.example:3128")

    (line,) = (r for r in told["results"] if r["level"] == "fail")
    assert (line["what"], told["exit_code"]) == ("server api.box.com", 5)
    assert 'upstream_proxy = "http://corp.example:3128"' in line["fix"]
    assert "c4nary" not in json.dumps(told)
    tokens = [r for r in told["results"] if r["what"] == "token of dev"]
    assert [r["level"] for r in tokens] == ["skip"]

    clinic.config.write_text(text)
    assert clinic.ask()["ok"]


def test_a_server_that_says_nothing(clinic: Clinic):
    """Nothing hangs: every check has an end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = clinic.config.read_text().replace(
            f'"api.box.com:443" = "127.0.0.1:{clinic.sandbox.port}"',
            f'"api.box.com:443" = "127.0.0.1:{silent.getsockname()[1]}"',
        )
        clinic.config.write_text(text)
        line = clinic.line("server api.box.com")
    assert (line["level"], line["code"]) == ("fail", 5)


def test_a_certificate_that_is_not_trusted(clinic: Clinic):
    """As where another proxy opens TLS: where its authority is named is told."""
    text = clinic.config.read_text()
    clinic.config.write_text(text.replace('ca_file = "ca.pem"', ""))
    line = clinic.line("server api.box.com")
    assert (line["level"], line["code"]) == ("fail", 5)
    assert "network.ca_file" in line["fix"]
    clinic.config.write_text(text)
    assert clinic.line("server api.box.com")["level"] == "ok"


def test_a_dead_grant(clinic: Clinic):
    """What the person does who must act now is told, and mends it."""
    seed = clinic.sandbox.state / "refresh_token.txt"
    good = seed.read_text()
    seed.write_text("x" * 64 + "\n")

    line = clinic.line("token of dev")

    assert (line["level"], line["code"]) == ("fail", 4)
    assert line["fix"]
    clinic.sandbox.forget()
    assert clinic.line("token of dev")["level"] == "fail"
    assert clinic.sandbox.token_requests() == []  # a dead grant is not asked again
    seed.write_text(good)
    assert clinic.line("token of dev")["level"] == "ok"


def test_a_token_that_was_revoked(clinic: Clinic):
    """It is renewed as by a request, and a developer token has to be made anew."""
    clinic.ask()
    clinic.sandbox.revoke()

    told = clinic.ask()

    by_name = {r["what"]: r for r in told["results"]}
    assert "after a renewal" in by_name["API as dev"]["detail"]
    refused = by_name["API as devtoken"]
    assert (refused["level"], told["exit_code"]) == ("fail", 4)
    assert "profiles.devtoken.access_token" in refused["fix"]


def test_the_api_is_asked_as_by_a_request(clinic: Clinic):
    """As the user whom the profile acts for."""
    text = clinic.config.read_text()
    as_user = '[profiles.ccg]\nas_user = "200002"'
    clinic.config.write_text(text.replace("[profiles.ccg]", as_user))
    assert clinic.line("API as ccg")["level"] == "ok"
    asked = clinic.sandbox.requests(path="/2.0/users/me")
    assert "200002" in [each["as_user"] for each in asked]


def test_a_token_of_another_server(clinic: Clinic):
    """Where the token endpoint is not the provider's, its API is not asked."""
    text = clinic.config.read_text()
    other = '[profiles.devtoken]\ntoken_url = "https://api.box.com/other"'
    clinic.config.write_text(text.replace("[profiles.devtoken]", other))
    line = clinic.line("API as devtoken")
    assert line["level"] == "skip"
    assert "token_url" in line["detail"]


def test_a_profile_whose_rule_names_another_host(clinic: Clinic):
    """No token goes where no rule sends it."""
    rule = """
[[rules]]
hosts = ["upload.box.com"]
profiles = ["dev", "jwt", "ccg", "devtoken"]
"""
    clinic.config.write_text(clinic.config.read_text() + rule)
    clinic.sandbox.forget()
    line = clinic.line("API as dev")
    assert line["level"] == "skip"
    assert clinic.sandbox.requests(path="/2.0/users/me") == []


def test_a_keyring_that_is_not_there(clinic: Clinic):
    """Is told once, and what needs the key is not tried."""
    text = clinic.config.read_text()
    clinic.config.write_text(
        text.replace('key = { file = "store.key" }', 'key = { keyring = "a/b" }')
    )
    told = clinic.ask(PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    (bad,) = (r for r in told["results"] if r["level"] == "fail")
    assert (bad["what"], told["exit_code"]) == ("keyring", 3)
    assert "store.key" in bad["fix"]


def test_a_clock_that_is_off(clinic: Clinic):
    """By the server's Date; a token is had all the same."""
    clinic.sandbox.call("POST", "clock", {"shift": 3600})

    line = clinic.line("clock")

    assert line["level"] == "warn"
    assert re.search(r"\b3(59|60)\d s behind api\.box\.com", line["detail"])
    assert line["fix"].startswith("run: sudo ")
    assert clinic.line("token of jwt")["level"] == "ok"
    clinic.sandbox.call("POST", "clock", {"shift": 0})
    assert clinic.line("clock")["level"] == "ok"


def test_another_proxy_in_the_environment(clinic: Clinic):
    """Token requests go past it, tools do not: told, and unset it is well."""
    elsewhere = {"HTTPS_PROXY": f"http://127.0.0.1:{unused_port()}"}
    told = clinic.ask(**elsewhere)
    (line,) = (r for r in told["results"] if r["what"] == "proxy variables")
    assert line["level"] == "warn"
    assert 'eval "$(everbearer env)"' in unnamed(line["fix"])
    assert told["ok"]  # token requests did not go there


def test_our_proxy_in_the_environment(clinic: Clinic):
    """It has to run, and no variable may lead past it."""
    ours = {"HTTPS_PROXY": f"http://localhost:{clinic.port}"}
    line = clinic.line("proxy variables", "--offline", **ours)
    assert (line["level"], unnamed(line["fix"])) == ("warn", "run: everbearer serve")

    Proxy(clinic.place, clinic.config, listen=f"127.0.0.1:{clinic.port}")

    assert clinic.line("proxy variables", "--offline", **ours)["level"] == "ok"
    past = ours | {"NO_PROXY": "box.com"}
    line = clinic.line("proxy variables", "--offline", **past)
    assert "unset NO_PROXY" in line["fix"]


def test_a_proxy_of_ours_at_another_port(clinic: Clinic):
    """As that of another configuration, or of one command: asked whose it is."""
    proxy = Proxy(clinic.place, clinic.config)
    line = clinic.line("proxy variables", "--offline", HTTPS_PROXY=proxy.url)
    assert line["level"] == "ok"
