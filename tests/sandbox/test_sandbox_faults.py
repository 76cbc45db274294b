"""Faults: each effect, seen from the client."""

import asyncio
import json
import ssl
from typing import Any

import httpx
import pytest


async def _me(bench: Any) -> httpx.Response:
    response: httpx.Response = await bench.api(
        "GET", "/users/me", bench.developer_token
    )
    return response


async def _raw(bench: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to api.box.com on which a test writes its own bytes."""
    context = ssl.create_default_context(cafile=bench.state / "ca.pem")
    return await asyncio.open_connection(
        "127.0.0.1", bench.sandbox.port, ssl=context, server_hostname="api.box.com"
    )


async def test_fault_is_taken_as_often_as_it_says(bench):
    """`times` counts; afterwards everything is as before."""
    await bench.fault({"status": 503}, times=2)
    assert [(await _me(bench)).status_code for _ in range(3)] == [503, 503, 200]


async def test_fault_meets_only_what_it_matches(bench):
    """Method, host, path with `*` and grant type each narrow it."""
    for match in (
        {"method": "POST"},
        {"host": "upload*.box.com"},
        {"path": "/2.0/folders/*"},
        {"grant_type": "client_credentials"},
    ):
        await bench.fault({"status": 500}, match=match)
    assert (await _me(bench)).status_code == 200
    assert (await bench.redeem(bench.seed)).status_code == 500
    await bench.control("DELETE", "faults")
    await bench.fault({"status": 500}, match={"grant_type": "client_credentials"})
    assert (await bench.redeem(bench.seed)).status_code == 200
    assert (await bench.token(grant_type="client_credentials")).status_code == 500


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": {"statuss": 500}},
        {"effect": {"early_401": "perhaps"}},
        {"effect": {"disconnect": "sometimes"}},
        {"effect": {"delay": "long"}},
        {"effect": {"status": 500}, "times": 0},
        {"match": {"url": "/"}, "effect": {}},
        {"match": {"path": 1}, "effect": {}},
        {"when": "now", "effect": {}},
    ],
)
async def test_misspelt_fault_is_refused(bench, fault):
    """A test that misspells its fault learns it at once."""
    response = await bench.client.post(
        f"{bench.sandbox.control_url}/_sandbox/faults", json=fault
    )
    assert response.status_code == 400
    assert response.json()["error"]


async def test_hold_keeps_requests_until_their_release(bench):
    """Requests whose token dies while they are held are answered 401."""
    fault = await bench.fault({"hold": True})
    asking = [asyncio.ensure_future(_me(bench)) for _ in range(5)]
    seen = await bench.control("GET", "requests/wait?count=5&timeout=10")
    assert [entry["held"] for entry in seen["requests"]] == [True] * 5
    assert seen["counters"]["unauthorized"] == 0
    assert await bench.control("POST", "tokens/revoke", profile="devtoken") == {
        "revoked": 1
    }
    await bench.control("POST", "release", id=fault["id"])
    assert [r.status_code for r in await asyncio.gather(*asking)] == [401] * 5
    assert (await _me(bench)).status_code == 401


async def test_disconnect_before_the_work_changes_nothing(bench):
    """The refresh token was never redeemed."""
    await bench.fault({"disconnect": "before"}, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.redeem(bench.seed)
    assert len(await bench.control("GET", "tokens")) == 2


async def test_disconnect_after_the_work_loses_the_answer_only(bench):
    """The server has a new pair; the same redeem gives it again."""
    await bench.fault({"disconnect": "after"}, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.redeem(bench.seed)
    labels = {token["label"] for token in await bench.control("GET", "tokens")}
    assert (await bench.redeem(bench.seed)).status_code == 200
    after = {token["label"] for token in await bench.control("GET", "tokens")}
    assert len(labels) == 3
    assert after == labels


async def test_processed_failure_has_done_its_work(bench):
    """box-facts section 3: after a 503 the write may have persisted."""
    await bench.fault({"status": 503, "processed": True}, times=1)
    body = {"name": "new", "parent": {"id": "0"}}
    token = bench.developer_token
    statuses = [
        (await bench.api("POST", "/folders", token, json=body)).status_code
        for _ in range(2)
    ]
    assert statuses == [503, 409]


async def test_truncated_body_ends_too_early(bench):
    """The length says more than comes."""
    await bench.fault({"truncate": 10}, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await _me(bench)


async def test_dripped_body_arrives_whole(bench):
    """Slow is not wrong."""
    await bench.fault({"drip": 4000}, times=1)
    assert (await _me(bench)).json()["id"] == "200001"


async def test_huge_body_has_the_length_that_was_asked_for(bench):
    """For answers that a proxy must not hold."""
    await bench.fault({"huge": 3_000_000}, times=1)
    assert len((await _me(bench)).content) == 3_000_000


async def test_endless_body_goes_on(bench):
    """It is read until the client has had enough."""
    await bench.fault({"endless": True}, times=1)
    reader, writer = await _raw(bench)
    writer.write(b"GET /2.0/users/me HTTP/1.1\r\nHost: api.box.com\r\n\r\n")
    await reader.readexactly(5_000_000)
    writer.close()


async def test_silence_lasts_until_the_client_leaves(bench):
    """The sandbox notes that it left, and stops cleanly."""
    await bench.fault({"silent": True}, times=1)
    reader, writer = await _raw(bench)
    writer.write(b"GET /2.0/users/me HTTP/1.1\r\nHost: api.box.com\r\n\r\n")
    seen = await bench.control("GET", "requests/wait?timeout=10")
    assert seen["requests"][0]["status"] is None
    writer.close()
    assert await reader.read() == b""


async def test_html_stands_in_for_json(bench):
    """What a broken proxy in between would send."""
    await bench.fault({"html": True}, times=1)
    response = await bench.redeem(bench.seed)
    assert response.status_code == 502
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ({"expires_in": 0}, 0),
        ({"expires_in": -5}, -5),
        ({"expires_in": "3600"}, "3600"),
        ({"expires_in": 10**30}, 10**30),
        ({"expires_in": None}, None),
        ({"omit": ["expires_in"]}, "absent"),
    ],
)
async def test_life_in_the_token_answer_can_be_anything(bench, effect, expected):
    """The server's own idea of the token's life stays as it is."""
    await bench.fault(effect, times=1)
    body = (await bench.redeem(bench.seed)).json()
    assert body.get("expires_in", "absent") == expected
    response = await bench.api("GET", "/users/me", body["access_token"])
    assert response.status_code == 200


async def test_token_answer_can_be_replaced_member_by_member(bench):
    """`json` is merged into it."""
    await bench.fault({"json": {"access_token": ""}}, times=1)
    assert (await bench.redeem(bench.seed)).json()["access_token"] == ""


@pytest.mark.parametrize(
    "effect",
    [
        {"expires_in": 0},
        {"json": {"token_type": "mac"}},
        {"omit": ["access_token"]},
    ],
    ids=str,
)
async def test_spoilt_token_answer_has_rotated_all_the_same(bench, effect):
    """Strictly: what it holds is redeemed next, and a reuse of the old ends it all."""
    await bench.control("POST", "strict", on=True)
    await bench.fault(effect, times=1)
    spoilt = (await bench.redeem(bench.seed)).json()
    after = await bench.redeem(spoilt["refresh_token"])
    assert after.status_code == 200
    assert (await bench.redeem(bench.seed)).status_code == 400
    assert (await bench.redeem(after.json()["refresh_token"])).status_code == 400


async def test_raw_body_is_sent_as_it_is(bench):
    """For token answers that are no JSON."""
    await bench.fault({"status": 200, "body": '{"access_tok'}, times=1)
    assert (await bench.redeem(bench.seed)).content == b'{"access_tok'


async def test_stuck_server_hands_out_the_same_token(bench):
    """Also after that token has died."""
    form = {
        "grant_type": "client_credentials",
        "box_subject_type": "enterprise",
        "box_subject_id": "100001",
    }
    first = (await bench.token("ccg", **form)).json()
    await bench.control("POST", "tokens/revoke")
    await bench.fault({"same_token": True}, times=1)
    assert (await bench.token("ccg", **form)).json() == first
    assert (await bench.token("ccg", **form)).json() != first


async def test_delay_waits(bench):
    """The answer comes all the same."""
    await bench.fault({"delay": 0.01}, times=1)
    assert (await _me(bench)).status_code == 200


async def test_early_401_comes_before_the_body(bench):
    """box-facts, open question 4: with "keep", the connection serves on."""
    await bench.fault({"early_401": "keep"}, times=1)
    reader, writer = await _raw(bench)
    head = (
        b"POST /2.0/folders HTTP/1.1\r\nHost: api.box.com\r\nContent-Length: 6\r\n\r\n"
    )
    writer.write(head)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"Content-Length: 0" in answer
    writer.write(b"abcdef" + head + b"abcdef")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
    writer.close()
    seen = await bench.control("GET", "requests")
    assert [entry["body_length"] for entry in seen["requests"]] == [6, 6]


async def test_early_401_may_close_the_connection(bench):
    """With "close", the body is not read."""
    await bench.fault({"early_401": "close"}, times=1)
    reader, writer = await _raw(bench)
    writer.write(
        b"PUT /2.0/x HTTP/1.1\r\nHost: api.box.com\r\nContent-Length: 600000\r\n\r\nabc"
    )
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"Connection: close" in answer
    assert await reader.read() == b""
    writer.close()


async def test_journal_tells_what_was_asked(bench):
    """Label, count, hash, As-User and grant type of each request; never a token."""
    token = await bench.service_token()
    await bench.api(
        "POST",
        "/x?access_token=secret",
        token,
        content=b"abc",
        headers={"As-User": "7"},
    )
    listed = await bench.control("GET", "requests?since=1")
    entry = listed["requests"][0]
    assert entry["method"] == "POST"
    assert (entry["host"], entry["path"]) == ("api.box.com", "/2.0/x")
    assert entry["as_user"] == "7"
    assert entry["authorization_count"] == 1
    assert entry["body_length"] == 3
    assert entry["body_sha256"].startswith("ba7816bf")
    tokens = await bench.control("GET", "tokens")
    assert entry["token_label"] in [each["label"] for each in tokens]
    everything = json.dumps(await bench.control("GET", "requests"))
    assert token not in everything
    assert "secret" not in everything
    first = (await bench.control("GET", "requests"))["requests"][0]
    assert first["grant_type"] == "client_credentials"


async def test_overlapping_redeems_are_counted(bench):
    """Invariant 10 of the design is judged by this counter."""
    fault = await bench.fault({"hold": True}, match={"grant_type": "refresh_token"})
    seed = bench.seed
    asking = [asyncio.ensure_future(bench.redeem(seed)) for _ in range(3)]
    await bench.control("GET", "requests/wait?count=3&timeout=10")
    await bench.control("POST", "release", id=fault["id"])
    await asyncio.gather(*asking)
    await bench.redeem(seed)
    listed = await bench.control("GET", "requests")
    assert listed["counters"]["most_overlapping_redeems"] == 3
    assert listed["counters"]["token_requests"] == 4
    assert [e["overlapping_redeems"] for e in listed["requests"]] == [1, 2, 3, 1]


async def test_waiting_in_vain_is_a_timeout(bench):
    """408, so that a test fails where it waits."""
    response = await bench.client.get(
        f"{bench.sandbox.control_url}/_sandbox/requests/wait?timeout=0.01"
    )
    assert response.status_code == 408
    assert response.json()["requests"] == []


async def test_journal_can_be_cleared(bench):
    """Counters too; numbers go on."""
    await _me(bench)
    await bench.control("DELETE", "requests")
    await bench.api("GET", "/users/me", "dead")
    listed = await bench.control("GET", "requests")
    assert [entry["seq"] for entry in listed["requests"]] == [2]
    assert listed["counters"]["unauthorized"] == 1
