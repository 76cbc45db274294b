"""Changes of the configuration, taken over as the proxy runs."""

from __future__ import annotations

import json
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from config_file import errors_of, private
from harness import Answer, Place, Proxy, Sandbox
from tunnel import Tunnel

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"


def taken_over(proxy: Proxy, before: int) -> None:
    """Wait until one more configuration is in force than *before*."""
    proxy.process.wait_for(rf"(?s)(is in force.*?){{{before + 1}}}")


def reload(proxy: Proxy, path: Path, content: str) -> None:
    """Replace a file in one step, as editors do, and wait until it counts."""
    before = proxy.process.output.count("is in force")
    replace_file(path, content)
    taken_over(proxy, before)


def replace_file(path: Path, content: str) -> None:
    """Put another file in its place."""
    private(path.with_suffix(".new"), content).replace(path)


def spoil(proxy: Proxy, path: Path, content: str) -> None:
    """Replace a file by a bad one, and wait until that is said."""
    before = proxy.process.output.count("cannot be used")
    replace_file(path, content)
    proxy.process.wait_for(rf"(?s)(cannot be used.*?){{{before + 1}}}")


def refused(proxy: Proxy) -> dict[str, Any]:
    """Return what a request with an unknown profile is told."""
    answer = proxy.curl("-H", "Everbearer-Profile: nobody", ME)
    assert answer.status == 400, answer
    return answer.json


def connect(proxy: Proxy, authority: str) -> dict[str, Any]:
    """Return what the proxy answers to a CONNECT that it refuses."""
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as client:
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        client.sendall(head.encode())
        answer = HTTPResponse(client, method="GET")
        answer.begin()
        return json.loads(answer.read())


def ask(proxy: Proxy, profile: str) -> Answer:
    """Ask with a profile."""
    return proxy.curl("-H", f"Everbearer-Profile: {profile}", ME)


@pytest.fixture
def config(sandbox: Sandbox) -> Path:
    """Return a configuration with the profile ccg alone, to be changed."""
    text = (sandbox.state / "client_credentials.toml").read_text()
    return private(sandbox.state / "config.toml", text)


def test_a_change_of_the_file_is_in_force_for_the_next_request(
    place: Place, sandbox: Sandbox, config: Path
):
    """A new profile serves, a new rule decides; what is gone is refused."""
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200
    assert ask(proxy, "jwt").status == 400

    text = config.read_text()
    jwt = (sandbox.state / "jwt_bearer.toml").read_text()
    jwt = jwt[jwt.index("[profiles.jwt]") : jwt.index("[store]")]
    rule = '[[rules]]\nhosts = ["api.box.com"]\nmethods = ["DELETE"]\naction = "pass"\n'
    reload(proxy, config, f"{text}\n{rule}\n{jwt}")

    assert ask(proxy, "jwt").json["login"].startswith("AutomationUser")
    assert ask(proxy, "ccg").status == 200
    assert proxy.curl("-X", "DELETE", f"{ME}/x").status == 401  # without our token

    reload(proxy, config, text)
    assert ask(proxy, "jwt").status == 400
    assert proxy.curl(ME).status == 200


def test_sighup_reads_what_no_file_shows(place: Place, sandbox: Sandbox, config: Path):
    """A program gives another secret now: the signal has it asked again."""
    secret = (sandbox.state / "ccg_client_secret.txt").read_text()
    given = private(place.root / "given.txt", "not-the-secret")
    command = json.dumps(["cat", str(given)])
    text = config.read_text()
    private(
        config,
        text.replace(
            '{ file = "ccg_client_secret.txt" }', f"{{ command = {command} }}"
        ),
    )
    proxy = Proxy(place, config)
    assert proxy.curl(ME).json["code"] in {
        "token_request_rejected",
        "reauthorization_required",
    }
    given.write_text(secret)

    proxy.process.child.send_signal(signal.SIGHUP)
    taken_over(proxy, 0)

    assert proxy.curl(ME).status == 200


def test_a_changed_secret_file_is_a_changed_configuration(
    place: Place, sandbox: Sandbox, config: Path
):
    """The file that a secret comes from is watched like the configuration itself."""
    secret = sandbox.state / "ccg_client_secret.txt"
    right = secret.read_text()
    private(secret, "not-the-secret")
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 502

    reload(proxy, secret, right)

    assert proxy.curl(ME).status == 200


def test_a_reload_drops_no_request(place: Place, sandbox: Sandbox, config: Path):
    """
    What is under way goes on with what it began with, and is answered.

    One request is at the server, one waits for its token, and the reload takes
    their profiles away or changes them; a 401 after it is still healed.
    """
    everything = (sandbox.state / "all.toml").read_text()
    private(config, everything)
    proxy = Proxy(place, config)
    assert ask(proxy, "ccg").status == 200
    at_server = sandbox.hold(path="/2.0/users/me", method="GET")
    for_token = sandbox.hold(path=TOKEN, grant_type="refresh_token")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, proxy, "ccg")
        sandbox.wait(path="/2.0/users/me")
        second = pool.submit(
            proxy.curl, "-H", "Everbearer-Profile: dev", "-X", "OPTIONS", ME
        )
        sandbox.wait(path=TOKEN, grant_type="refresh_token")
        dev = everything.index("[profiles.dev]")
        jwt = everything.index("[profiles.jwt]")
        ccg = everything.index("[profiles.ccg]")
        developer = everything.index("[profiles.devtoken]")
        reload(
            proxy,
            config,
            everything[:dev].replace('default_profile = "dev"', "")
            + everything[jwt:ccg]
            + everything[developer:],
        )
        assert ask(proxy, "ccg").status == 400
        sandbox.release(for_token)
        answered = second.result()
        sandbox.release(at_server)
        assert first.result().status == 200

    assert answered.status not in {0, 401, 500, 502, 503}, answered
    assert "Traceback" not in proxy.process.output
    assert "failed" not in proxy.process.output


def test_a_reload_waits_for_those_who_wait_for_a_second_attempt(
    place: Place, sandbox: Sandbox, config: Path
):
    """The first token request failed and the next is due when the profile changes."""
    proxy = Proxy(place, config)
    sandbox.fault({"status": 503, "retry_after": 4}, path=TOKEN, times=1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(proxy.curl, ME)
        sandbox.wait(path=TOKEN, phase="answered")
        text = config.read_text()
        as_user = '[profiles.ccg]\nas_user = "200002"'
        reload(proxy, config, text.replace("[profiles.ccg]", as_user))
        assert answer.result().status == 200


def test_a_401_after_a_reload_is_healed_by_the_profiles_new_form(
    place: Place, sandbox: Sandbox, config: Path
):
    """The profile was changed while the request was at the server: replayed, 200."""
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200
    held = sandbox.hold(path="/2.0/users/me")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(proxy.curl, ME)
        sandbox.wait(path="/2.0/users/me", count=2)
        text = config.read_text()
        reload(
            proxy,
            config,
            text.replace("[profiles.ccg]", '[profiles.ccg]\nas_user = "200002"'),
        )
        sandbox.revoke()
        sandbox.release(held)
        assert answer.result().status == 200
    assert sandbox.requests(path="/2.0/users/me")[-1]["as_user"] == "200002"


BAD = {
    "a mistake": lambda text: text.replace("client_id", "client_idd"),
    "no TOML": lambda text: text + "\n[",
    "no authorities": lambda text: text.replace('"ca.pem"', '"control.json"'),
    "an unknown profile": lambda text: 'default_profile = "x"\n' + text,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_configuration_leaves_the_old_in_force(
    place: Place, sandbox: Sandbox, config: Path, kind: str
):
    """It is said on stderr, in `status` and in every refusal, until it is mended."""
    good = config.read_text()
    proxy = Proxy(place, config)
    assert "configuration_problems" not in refused(proxy)

    spoil(proxy, config, BAD[kind](good))

    assert proxy.curl(ME).status == 200
    (problem,) = refused(proxy)["configuration_problems"]
    assert problem in proxy.process.output
    assert "the old configuration stays in force" in proxy.process.output
    said = place.everbearer("status", "-c", str(config))
    assert said.returncode == 2
    assert errors_of(said.stderr)[0] in problem
    assert "Traceback" not in said.stderr

    reload(proxy, config, good)

    assert "configuration_problems" not in refused(proxy)
    assert place.everbearer("status", "-c", str(config)).returncode == 0
    assert "Traceback" not in proxy.process.output


def test_every_kind_of_refusal_tells_the_problems(
    place: Place, sandbox: Sandbox, config: Path
):
    """That of the policy, of a dead grant, of a failed replay, and of a CONNECT."""
    text = config.read_text().replace(
        "[store]", '[proxy]\nunmatched_hosts = "refuse"\n[store]'
    )
    private(config, text)
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200
    spoil(proxy, config, text + "\nx = 1\n")

    refusals = [refused(proxy)]
    refusals.append(connect(proxy, "example.com:443"))
    told = "CONNECT example.com:443 403 - unmatched_refused"
    proxy.process.wait_for(told)
    assert proxy.process.output.count("unmatched_refused") == 1
    sandbox.revoke()
    error = {"status": 400, "body": {"error": "invalid_client"}}
    sandbox.fault(error, path=TOKEN)
    refusals += [proxy.curl(ME).json, proxy.curl(ME).json]

    assert [each["code"] for each in refusals] == [
        "profile_unknown",
        "unmatched_refused",
        "token_request_rejected",
        "token_request_rejected",
    ]
    (problem,) = {text for each in refusals for text in each["configuration_problems"]}
    assert "network.connect_to.x" in problem


def test_what_was_missing_may_come_later(place: Place, sandbox: Sandbox, config: Path):
    """The configuration names a file that is not there yet: its coming mends it."""
    good = config.read_text()
    proxy = Proxy(place, config)
    spoil(proxy, config, good.replace("ccg_client_secret.txt", "later.txt"))
    assert "later.txt" in refused(proxy)["configuration_problems"][0]

    secret = (sandbox.state / "ccg_client_secret.txt").read_text()
    reload(proxy, sandbox.state / "later.txt", secret)

    assert "configuration_problems" not in refused(proxy)
    assert proxy.curl(ME).status == 200


def test_what_needs_a_restart_is_said(
    place: Place, sandbox: Sandbox, config: Path, free_port: int
):
    """Another listener and another store wait for it; a new rule does not."""
    text = config.read_text()
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200
    changed = text.replace("tokens.db", "others.db")
    listener = f'[[listeners]]\naddress = "127.0.0.1:{free_port}"\nreverse = "https://api.box.com"\n'
    rule = '[[rules]]\nhosts = ["api.box.com"]\nmethods = ["DELETE"]\naction = "pass"\n'

    reload(proxy, config, f"{changed}\n{listener}\n{rule}")

    (line,) = re.findall(r"is in force, but for: (.*)", proxy.process.output)
    assert line == "listeners, store"
    proxy.process.wait_for("restart everbearer for these")
    assert proxy.curl("-X", "DELETE", f"{ME}/x").status == 401
    assert proxy.curl(ME).status == 200
    assert not (sandbox.state / "others.db").exists()


def test_no_token_goes_where_connect_to_led_before(place: Place, config: Path):
    """A kept connection gets no token that was obtained where the file leads now."""
    elsewhere = Sandbox(place, state="elsewhere")
    here = config.parent
    both = (here / "ca.pem").read_text() + (elsewhere.state / "ca.pem").read_text()
    private(here / "both.pem", both)
    text = config.read_text().replace('"ca.pem"', '"both.pem"')
    other = (elsewhere.state / "client_credentials.toml").read_text()
    private(config, text)
    proxy = Proxy(place, config)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", "/2.0/users/me").status == 200

        profile, _, network = other.partition("[network]")
        secret = elsewhere.state / "ccg_client_secret.txt"
        profile = profile.replace("ccg_client_secret.txt", str(secret))
        network = network.replace('"ca.pem"', '"both.pem"')
        spoil(proxy, config, f"{profile}[network]{network}")

        assert tunnel.ask("GET", "/2.0/users/me").status == 200
    (problem,) = refused(proxy)["configuration_problems"]
    assert "network.connect_to" in problem
    assert "restart" in problem
    assert elsewhere.requests() == []


def test_many_changes_lose_no_request(place: Place, sandbox: Sandbox, config: Path):
    """Requests run on while the configuration changes good, bad and good again."""
    good = config.read_text()
    proxy = Proxy(place, config)
    assert proxy.curl(ME).status == 200

    def steady(worker: int) -> list[int]:
        return [
            proxy.curl("-H", "Everbearer-Profile: ccg", f"{ME}?w={worker}").status
            for _ in range(40)
        ]

    with ThreadPoolExecutor() as pool:
        streams = [pool.submit(steady, worker) for worker in range(3)]
        reload(proxy, config, good + "\n# changed\n")
        spoil(proxy, config, good + "\n[")
        changed = good.replace("[profiles.ccg]", '[profiles.ccg]\nas_user = "200002"')
        reload(proxy, config, changed)
        statuses = [status for stream in streams for status in stream.result()]

    assert set(statuses) == {200}
    assert "Traceback" not in proxy.process.output
