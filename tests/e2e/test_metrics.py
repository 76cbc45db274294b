"""What `/metrics` of a real proxy tells is what the sandbox has counted."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from harness import Place, Proxy, Sandbox
from metrics.figures import Samples, read
from tunnel import Tunnel, crowd

TOKEN = "/oauth2/token"
PATHS = {
    "dev": "/2.0/users/me",
    "jwt": "/2.0/folders/0",
    "ccg": "/2.0/folders/0/items",
}
"""Asked with each profile, so that the sandbox's journal tells them apart."""

GRANTS = {
    "refresh_token": "dev",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": "jwt",
    "client_credentials": "ccg",
}


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Ask the dashboard's port as a Prometheus server or a probe does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def watched(sandbox: Sandbox, port: int, source: str = "all") -> Path:
    """Write a configuration whose dashboard is there."""
    more = f'\n[dashboard]\nlisten = "127.0.0.1:{port}"\n'
    return sandbox.config("watched", more, source)


def total(told: Samples, name: str, by: str, **labels: str) -> Counter[str]:
    """Return a family's numbers by one label, of the series with these *labels*."""
    found: Counter[str] = Counter()
    for (sample, pairs), value in told.items():
        here = dict(pairs)
        if sample == name and here.items() >= labels.items():
            found[here[by]] += int(value)
    return +found


def test_figures_are_what_the_sandbox_counted(
    place: Place, sandbox: Sandbox, free_port: int
):
    """Three grants, a revocation, an expiry, refusals: no number is made up."""
    proxy = Proxy(place, watched(sandbox, free_port))
    with Tunnel(proxy) as tunnel:

        def each(count: int) -> None:
            for name, path in PATHS.items():
                for _ in range(count):
                    answer = tunnel.ask("GET", path, Everbearer_Profile=name)
                    assert answer.status == 200

        each(4)
        sandbox.revoke()
        each(3)
        sandbox.call("POST", "tokens/expire", {})
        each(2)
        for _ in range(2):
            refused = tunnel.ask("GET", "/2.0/x", Everbearer_Profile="nobody")
            assert refused.status == 400
        origin = "https://evil.example"
        assert tunnel.ask("GET", "/2.0/x", Origin=origin).status == 403
        missing = tunnel.ask("GET", "/2.0/files/1", Everbearer_Profile="dev")
        assert missing.status == 404
    status, page = ask(free_port, "/metrics")
    assert status == 200
    told = read(page)
    journal = sandbox.requests()
    profiles = {path: name for name, path in PATHS.items()} | {"/2.0/files/1": "dev"}
    api = [entry for entry in journal if entry["path"] in profiles]
    by_profile = Counter(profiles[entry["path"]] for entry in api)
    unhealed = Counter(
        profiles[entry["path"]] for entry in api if entry["status"] == 401
    )
    assert sum(unhealed.values()) == 6

    requests = "everbearer_requests_total"
    injected = total(told, requests, "profile", verdict="inject")
    replays = total(told, "everbearer_replays_total", "profile")
    assert injected + replays == by_profile
    assert replays == unhealed
    assert total(told, requests, "status", verdict="inject") == {"2xx": 27, "4xx": 1}
    durations = "everbearer_request_duration_seconds_count"
    assert total(told, durations, "profile")["jwt"] == injected["jwt"]
    added = "everbearer_injection_duration_seconds_count"
    assert total(told, added, "profile") == injected

    asked = [entry for entry in journal if entry["path"] == TOKEN]
    by_grant = Counter(GRANTS[entry["grant_type"]] for entry in asked)
    assert total(told, "everbearer_token_requests_total", "profile") == by_grant
    seconds = "everbearer_token_request_duration_seconds_count"
    assert total(told, seconds, "profile") == by_grant
    renewals = "everbearer_renewals_total"
    assert total(told, renewals, "profile", outcome="renewed") == by_grant

    assert total(told, requests, "verdict")["refuse"] == 3
    assert total(told, "everbearer_refusals_total", "code") == {
        "profile_unknown": 2,
        "browser_request": 1,
    }
    assert not [entry for entry in journal if entry["path"] == "/2.0/x"]
    for name in PATHS:
        left = told["everbearer_token_expires_in_seconds", (("profile", name),)]
        assert 0 < left <= 3600
    assert ("everbearer_grant_end_timestamp_seconds", (("profile", "dev"),)) in told


def test_workers_are_counted_together(place: Place, sandbox: Sandbox, free_port: int):
    """Whichever of them is asked: one of them knows what the others did."""
    config = watched(sandbox, free_port, "refresh_token")
    proxy = Proxy(place, config, "--workers", "2")
    path = PATHS["dev"]
    with crowd(proxy) as many:
        for each in [many.send("GET", path) for _ in range(40)]:
            assert each.result().status == 200
    wanted = {"dev": 40}
    deadline = time.monotonic() + 60
    while True:
        told = read(ask(free_port, "/metrics")[1])
        found = total(told, "everbearer_requests_total", "profile")
        if found == wanted or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert found == wanted
    assert sandbox.statuses(path) == [200] * 40
    labels = {"outcome": "renewed"}
    assert total(told, "everbearer_renewals_total", "profile", **labels) == {"dev": 1}


def test_health_is_told_to_whoever_asks(place: Place, sandbox: Sandbox, free_port: int):
    """Alive all the time; ready until a grant is refused, and why not, as a code."""
    proxy = Proxy(place, watched(sandbox, free_port, "refresh_token"))
    assert ask(free_port, "/healthz") == (200, b'{"status":"ok"}')
    assert ask(free_port, "/readyz")[0] == 200
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", PATHS["dev"]).status == 200
        assert ask(free_port, "/readyz")[0] == 200
        sandbox.fault({"status": 400, "body": {"error": "invalid_grant"}}, path=TOKEN)
        sandbox.revoke()
        assert tunnel.ask("GET", PATHS["dev"]).status in {401, 502}
    status, body = ask(free_port, "/readyz")
    assert status == 503
    assert json.loads(body) == {
        "status": "unready",
        "profiles": {"dev": "reauthorize"},
    }
    assert ask(free_port, "/healthz")[0] == 200
    trouble = (("profile", "dev"), ("trouble", "reauthorize"))
    told = read(ask(free_port, "/metrics")[1])
    assert told["everbearer_profile_trouble", trouble] == 1
