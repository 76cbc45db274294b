"""Tokens end, and nobody who sends requests notices."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness import Place, Proxy, Sandbox
from tunnel import Tunnel, crowd

ME = "/2.0/users/me"
SLOW = "/2.0/folders/0"
TOKEN = "/oauth2/token"
PROFILES = {
    "dev": "refresh_token",
    "jwt": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "ccg": "client_credentials",
}
"""The profiles of the sandbox's all.toml, and what they ask the endpoint for."""


WORKERS = 3
"""Connections on which each profile's requests are sent."""


@dataclass(frozen=True)
class Sent:
    """A request of the steady stream: its name, when it began, what came."""

    name: str
    began: float
    status: int


def steady(proxy: Proxy, profile: str, worker: int, until: float) -> list[Sent]:
    """Send one request after the other on one connection."""
    sent = []
    with Tunnel(proxy) as tunnel:
        while time.monotonic() < until:
            name = f"{profile}-{worker}-{len(sent)}"
            target = f"{ME if worker else SLOW}?{name}="
            began = time.time()
            answer = tunnel.ask("GET", target, Everbearer_Profile=profile)
            sent.append(Sent(name, began, answer.status))
    return sent


def causes(proxy: Proxy, profile: str) -> list[str]:
    """Return why the proxy renewed, in order."""
    return re.findall(rf" {profile}: renewed \((\w+)\)", proxy.process.output)


def by_name(sandbox: Sandbox, profile: str) -> dict[str, list[dict[str, Any]]]:
    """Return what the server saw of each request of a profile's stream."""
    found = defaultdict(list)
    for entry in sandbox.requests(method="GET"):
        if entry["query"].startswith(f"{profile}-"):
            found[entry["query"].rstrip("=")].append(entry)
    return found


def test_steady_requests_outlive_their_tokens(
    place: Place, record_property: Callable[[str, object], None]
):
    """
    20 s of requests with 3-second tokens are all answered 200, by any grant.

    Every renewal but the first was begun in the background, before the old token
    was EXPIRED, and none because of a 401. By JWT and client credentials the
    server answers no 401. By refresh token it does so only to requests that were
    under way when the new token was first used; each is replayed once.
    """
    sandbox = Sandbox(place, "--token-life", "3")
    proxy = Proxy(place, sandbox.state / "all.toml")
    # A slow call is nearly always under way, and overtaken by quick ones.
    sandbox.fault({"delay": 0.1}, path=SLOW)
    sandbox.fault({"delay": 0.03}, path=ME)
    until = time.monotonic() + 20
    with ThreadPoolExecutor(len(PROFILES) * WORKERS) as pool:
        streams = {
            profile: [
                pool.submit(steady, proxy, profile, worker, until)
                for worker in range(WORKERS)
            ]
            for profile in PROFILES
        }
    for profile, grant_type in PROFILES.items():
        sent = [each for stream in streams[profile] for each in stream.result()]
        seen = by_name(sandbox, profile)
        why = causes(proxy, profile)
        refused = {name: entries for name, entries in seen.items() if len(entries) > 1}
        record_property(
            "measured",
            f"20 s with tokens of 3 s, {grant_type}: {len(sent)} requests,"
            f" {len(why)} token requests, {len(refused)} replays",
        )

        assert {each.status for each in sent} == {200}
        assert seen.keys() == {each.name for each in sent}
        # 20 s of nothing but 200 need at least seven tokens of 3 s.
        assert len(why) >= 7
        assert why[0] == "first"
        assert set(why[1:]) <= {"timer", "stale"}, proxy.process.output
        asked = sandbox.requests(path=TOKEN, grant_type=grant_type)
        assert [entry["status"] for entry in asked] == [200] * len(why)
        if profile == "dev":
            check_replays(seen, refused, {each.name: each.began for each in sent})
        else:
            assert not refused
            assert {e["status"] for [e] in seen.values()} == {200}


def check_replays(
    seen: dict[str, list[dict[str, Any]]],
    refused: dict[str, list[dict[str, Any]]],
    began: dict[str, float],
):
    """Whoever met a 401 was under way when the token after his was first used."""
    first_use: dict[str, float] = {}
    served = [e for entries in seen.values() for e in entries if e["status"] == 200]
    for entry in sorted(served, key=lambda entry: entry["seq"]):
        first_use.setdefault(entry["token_label"], entry["at"])
    labels = list(first_use)
    for name, entries in refused.items():
        assert [entry["status"] for entry in entries] == [401, 200]
        old, new = (entry["token_label"] for entry in entries)
        assert labels.index(new) > labels.index(old)
        successor = labels[labels.index(old) + 1]
        assert began[name] < first_use[successor]


def test_requests_under_way_at_a_rotation_are_replayed_without_a_redeem(
    place: Place, sandbox: Sandbox
):
    """The first use of a new token retires the old one: replays, no token request."""
    path, config = SLOW, sandbox.state / "refresh_token.toml"
    proxy = Proxy(place, config)
    with Tunnel(proxy) as tunnel, crowd(proxy) as many:
        assert tunnel.ask("GET", ME).status == 200
        [first] = sandbox.requests(path=ME)
        held = sandbox.hold(path=path)
        answers = [many.send("GET", f"{path}?n={n}") for n in range(20)]
        sandbox.wait(20, path=path)
        done = place.everbearer("renew", "-c", str(config))
        assert done.returncode == 0, done.stderr
        new = first["token_label"]
        while new == first["token_label"]:
            assert tunnel.ask("GET", ME).status == 200
            new = sandbox.requests(path=ME)[-1]["token_label"]
        sandbox.release(held)
        statuses = [answer.result().status for answer in answers]

    assert statuses == [200] * 20
    asked = sandbox.requests(path=path)
    assert [
        (entry["status"], entry["token_label"])
        for entry in sorted(asked, key=lambda entry: -entry["status"])
    ] == [(401, first["token_label"])] * 20 + [(200, new)] * 20
    assert len(sandbox.token_requests()) == 2


def test_no_request_waits_for_the_renewal_of_a_stale_token(place: Place):
    """While the token endpoint holds a background renewal, requests are answered."""
    sandbox = Sandbox(place, "--token-life", "10")
    proxy = Proxy(place, sandbox.state / "all.toml")
    with Tunnel(proxy) as tunnel:
        for profile in PROFILES:
            assert tunnel.ask("GET", ME, Everbearer_Profile=profile).status == 200
        old = {entry["token_label"] for entry in sandbox.requests(path=ME)}
        sandbox.forget()
        held = sandbox.hold(path=TOKEN)
        sandbox.wait(len(PROFILES), path=TOKEN)

        for profile in PROFILES:
            assert tunnel.ask("GET", ME, Everbearer_Profile=profile).status == 200

        assert {entry["token_label"] for entry in sandbox.requests(path=ME)} == old
        assert [entry["held"] for entry in sandbox.token_requests()] == [True] * 3
        sandbox.release(held)
        for profile in PROFILES:
            proxy.process.wait_for(rf" {profile}: renewed \((timer|stale)\)")
            assert tunnel.ask("GET", ME, Everbearer_Profile=profile).status == 200
        assert not old & {
            entry["token_label"] for entry in sandbox.requests(path=ME)[3:]
        }
        assert sandbox.statuses(TOKEN) == [200] * 3


def test_background_renewal_that_fails_is_healed_by_the_next(place: Place):
    """One failed background renewal is a warning; every request is answered 200."""
    sandbox = Sandbox(place, "--token-life", "3")
    proxy = Proxy(place, sandbox.state / "all.toml")
    with Tunnel(proxy) as tunnel:
        for profile, grant_type in PROFILES.items():
            assert tunnel.ask("GET", ME, Everbearer_Profile=profile).status == 200
            sandbox.fault({"status": 500}, grant_type=grant_type, path=TOKEN, times=1)
        pause, deadline = threading.Event(), time.monotonic() + 30
        while any(len(causes(proxy, profile)) < 2 for profile in PROFILES):
            assert time.monotonic() < deadline, proxy.process.output
            for profile in PROFILES:
                assert tunnel.ask("GET", ME, Everbearer_Profile=profile).status == 200
            pause.wait(0.02)

    for profile, grant_type in PROFILES.items():
        failed = re.findall(rf" {profile}: not renewed \((\w+)\)", proxy.process.output)
        assert len(failed) == 1
        assert failed[0] in {"timer", "stale"}
        asked = sandbox.requests(path=TOKEN, grant_type=grant_type)
        assert [entry["status"] for entry in asked][:3] == [200, 500, 200]
