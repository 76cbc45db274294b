"""A replay ends, whatever the server makes of it; a 401 that stays is given back."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path

import pytest

from harness import START, Answer, Place, Proxy, Sandbox
from tunnel import Tunnel, crowd

SCRIPT = Path(__file__).with_name("limits_script.py")
ME = "/2.0/users/me"
THERE = "/2.0/anything"
TOKEN = "/oauth2/token"
MIB = 1024 * 1024
CONFIG = "client_credentials.toml"


def impatient(place: Place, sandbox: Sandbox) -> Proxy:
    """Start a proxy that holds 1 MiB of an answer and waits a second for it."""
    return Proxy(place, sandbox.state / CONFIG, mitmproxy=("-s", str(SCRIPT)))


def check_401_as_it_was(answer: Answer) -> None:
    """Check for what the sandbox says to a token that it does not know."""
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.fields["www-authenticate"]
    assert answer.body == b""


def check_problem(answer: Answer, status: int, code: str) -> None:
    """Check for a refusal of ours."""
    assert answer.status == status
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.fields["proxy-status"].startswith("everbearer; error=")
    assert answer.json["code"] == code
    assert answer.json["hint"]


@pytest.mark.parametrize(
    "effect",
    [
        {"huge": 2 * MIB},
        {"huge": 500 * MIB},
        {"endless": True},
        {"huge": MIB // 2, "drip": 4096},
    ],
    ids=["long", "huge", "endless", "dripping"],
)
def test_answer_too_long_to_hold_gives_the_401_back(
    place: Place, sandbox: Sandbox, effect: dict
):
    """An answer that is too long, or comes too slowly: the 401, and no memory."""
    proxy = impatient(place, sandbox)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        before = proxy.process.rss()
        sandbox.fault({"status": 401}, path=THERE, times=1)
        sandbox.fault(effect, path=THERE, times=1)

        check_401_as_it_was(tunnel.ask("GET", THERE))

        assert proxy.process.peak() - before < 16 * MIB
        # The token is fresh by now: the tool's own retry works.
        assert tunnel.ask("GET", THERE).status == 501
    assert [e["status"] for e in sandbox.requests(path=THERE)] == [401, 200, 501]
    assert len(sandbox.token_requests()) == 2


@pytest.mark.parametrize("size", [MIB, 1000])
def test_answer_within_the_limit_is_the_clients(
    place: Place, sandbox: Sandbox, size: int
):
    """The longest answer that is held arrives whole."""
    proxy = impatient(place, sandbox)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.fault({"status": 401}, path=THERE, times=1)
        sandbox.fault({"huge": size}, path=THERE, times=1)

        answer = tunnel.ask("GET", THERE)

    assert answer.status == 200
    assert len(answer.body) == size


@pytest.mark.parametrize(
    "effect",
    [{"silent": True}, {"disconnect": "before"}, {"huge": 5000, "truncate": 100}],
    ids=["silent", "disconnected", "truncated"],
)
def test_replay_that_is_lost_on_the_network_is_a_502(
    place: Place, sandbox: Sandbox, effect: dict
):
    """No answer to the replay, or half of one: a 502 that says so."""
    proxy = impatient(place, sandbox)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.fault({"status": 401}, path=THERE, times=1)
        sandbox.fault(effect, path=THERE, times=1)

        check_problem(tunnel.ask("POST", THERE, b"{}"), 502, "replay_failed")

        assert tunnel.ask("POST", THERE, b"{}").status == 501
    assert len(sandbox.requests(path=THERE)) == 3
    assert len(sandbox.token_requests()) == 2


def test_second_401_is_given_back_and_remembered(place: Place, sandbox: Sandbox):
    """A 401 that a new token does not heal: given back, no renewal after renewal."""
    proxy = Proxy(place, sandbox.state / CONFIG)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        body = (
            '{"code": "unauthorized", "message": "Cannot authorize with this service"}'
        )
        fields = {"X-Told": "by the server"}
        sandbox.fault({"status": 401, "body": body, "fields": fields}, path=THERE)

        answers = [tunnel.ask("POST", THERE, b"{}") for _ in range(10)]

        for answer in answers:
            assert answer.status == 401
            assert answer.body == body.encode()
            assert answer.fields["x-told"] == "by the server"
        # One replay for the first, none for the others.
        assert sandbox.statuses(THERE) == [401] * 11
        assert len(sandbox.token_requests()) == 2
        # The new token is as good as ever elsewhere.
        assert tunnel.ask("GET", ME).status == 200
        assert sandbox.statuses(ME) == [200, 200]
        assert len(sandbox.token_requests()) == 2


def test_token_revoked_before_its_first_use_is_renewed_soon(
    place: Place, sandbox: Sandbox
):
    """Two tokens die under one request: it gets the 401, and soon all is well."""
    proxy = Proxy(place, sandbox.state / CONFIG)
    with Tunnel(proxy) as tunnel, crowd(proxy) as many:
        assert tunnel.ask("GET", ME).status == 200
        first = sandbox.hold(path=ME)
        answer = many.send("GET", ME)
        sandbox.wait(2, path=ME)
        sandbox.revoke()
        second = sandbox.hold(path=ME)
        sandbox.release(first)
        sandbox.wait(3, path=ME)
        sandbox.revoke()
        sandbox.release(second)
        check_401_as_it_was(answer.result())

        deadline = time.monotonic() + START
        statuses = {401}
        while 200 not in statuses and time.monotonic() < deadline:
            statuses.add(tunnel.ask("GET", ME).status)
        assert statuses == {200, 401}
    assert len(sandbox.token_requests()) == 3


def test_401_too_long_to_hold_flows_on(place: Place, sandbox: Sandbox):
    """A 401 with a long body is given back as it comes, and renewed meanwhile."""
    proxy = Proxy(place, sandbox.state / CONFIG)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.fault({"status": 401, "huge": 3 * MIB}, path=THERE, times=1)

        answer = tunnel.ask("GET", THERE)

        assert answer.status == 401
        assert len(answer.body) == 3 * MIB
        assert sandbox.statuses(THERE) == [401]
        sandbox.wait(2, path=TOKEN, phase="answered")
        assert tunnel.ask("GET", THERE).status == 501


def test_failed_renewal_after_a_401_is_told(place: Place, sandbox: Sandbox):
    """No new token after a 401: the client learns why, and asks no endpoint twice."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.revoke()
        sandbox.fault({"status": 400, "body": {"error": "invalid_grant"}}, path=TOKEN)

        check_problem(tunnel.ask("GET", ME), 502, "reauthorization_required")
        check_problem(tunnel.ask("GET", ME), 502, "reauthorization_required")

    assert sandbox.statuses(ME) == [200, 401]
    assert sandbox.statuses(TOKEN) == [200, 400]


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_replay_that_is_refused_early_does_not_end_its_body(
    place: Place, sandbox: Sandbox, length: str
):
    """A second 401 before all of the body was sent: given back, nothing cut short."""
    body = random.Random(1).randbytes(30 * MIB)
    (place.root / "body").write_bytes(body)
    proxy = Proxy(place, sandbox.state / CONFIG)
    assert proxy.curl(f"https://api.box.com{ME}").status == 200
    sandbox.revoke()
    # The first try takes a fault that does nothing, the replay the one after.
    sandbox.fault({}, path=THERE, times=1)
    sandbox.fault({"early_401": "keep"}, path=THERE, times=1)
    framing = ("-H", "Transfer-Encoding: chunked") if length == "unknown" else ()

    answer = proxy.curl(
        *framing, "-T", f"{place.root}/body", f"https://api.box.com{THERE}"
    )

    check_401_as_it_was(answer)
    first, second = sandbox.requests(path=THERE)
    assert first["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert second["status"] == 401
    assert second["body_sha256"] in {None, first["body_sha256"]}
