"""Several proxies on one store renew as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from everbearer.oauth.freshness import stale_at
from everbearer.oauth.tokens import AccessToken
from everbearer.secret import Secret
from harness import Place, Proxy, Sandbox
from soak.fleet import Fleet
from soak.places import STORES
from tunnel import Tunnel

PROXIES = 8
LIFE = 2.0
SECONDS = 60.0
PAUSE = 0.08


def steady(proxy: Proxy, until: float, never: threading.Event) -> list[int]:
    """Ask again and again on one connection; return what was answered."""
    statuses = []
    with Tunnel(proxy) as tunnel:
        while time.monotonic() < until:
            answer = tunnel.ask("GET", "/2.0/users/me", Everbearer_Profile="dev")
            statuses.append(answer.status)
            never.wait(PAUSE)
    return statuses


@pytest.mark.parametrize("kind", STORES)
def test_eight_proxies_redeem_once_for_each_token(
    place: Place, record_property: Callable[[str, object], None], kind: str
):
    """
    60 s of requests by eight proxies with 2-second tokens are all answered 200.

    No redeem overlaps with another and none fails. There is one for each token
    that was due to be renewed, give or take one.
    """
    sandbox = Sandbox(place, "--token-life", str(LIFE))
    fleet = Fleet(place, STORES[kind]().config(sandbox), PROXIES)
    fleet.start()
    until, never = time.monotonic() + SECONDS, threading.Event()
    with ThreadPoolExecutor(PROXIES) as pool:
        asked = [
            pool.submit(steady, member.proxy, until, never) for member in fleet.members
        ]
        statuses = [status for each in asked for status in each.result()]

    redeems = sandbox.token_requests()
    record_property(
        "measured",
        f"{PROXIES} proxies on one {kind} store, {SECONDS:.0f} s, tokens of {LIFE:g} s:"
        f" {len(statuses)} requests, {len(redeems)} token requests,"
        f" {sandbox.call('GET', 'requests')['counters']['unauthorized']} replays",
    )
    assert set(statuses) == {200}
    assert {entry["status"] for entry in redeems} == {200}
    assert {entry["overlapping_redeems"] for entry in redeems} == {1}
    token = AccessToken(Secret("any"), 0.0, LIFE)
    # The timer goes off up to a tenth of the STALE window ahead of it.
    due = stale_at(token) - 0.1 * (LIFE - stale_at(token))
    # A token ages from the sending of its request, the server sees its arrival.
    spanned = redeems[-1]["at"] - redeems[0]["at"]
    assert len(redeems) <= spanned / due + 2
