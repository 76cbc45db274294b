"""A scheme that signs bodies and answers challenges, through the real proxy."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from harness import Answer, Place, Proxy
from toy_server import GOOD, HOST, REVOKED, STALE, UNSIGNED, WRONG, ToyServer
from toy_stage import start
from tunnel import Tunnel

THINGS = "/things/1"
KIB = 1024
MIB = 1024 * KIB


def post(proxy: Proxy, body: bytes, *, chunked: bool = False) -> Answer:
    """Send a thing by curl, which waits for a 100 before a long body."""
    sent = Path(proxy.confdir).parent / "body"
    sent.write_bytes(body)
    return proxy.curl(
        f"https://{HOST}{THINGS}",
        *("--data-binary", f"@{sent}"),
        *(("-H", "Transfer-Encoding: chunked") if chunked else ()),
    )


def check_refused(answer: Answer, status: int, code: str) -> None:
    """Check for a refusal of ours."""
    assert answer.status == status
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert answer.json["hint"]


@pytest.mark.parametrize("chunked", [False, True], ids=["known", "chunked"])
def test_body_is_signed_whole_and_the_nonce_kept(
    place: Place, server: ToyServer, chunked: bool
):
    """A 401 tells a nonce, the request is sent again with it; the next one has it."""
    proxy = start(place, server)
    told = UNSIGNED
    for size in (0, 5, 300 * KIB, MIB, MIB + 1, 5 * MIB):
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        answer = post(proxy, body, chunked=chunked)
        assert answer.status == 200
        assert answer.json["digest"] == hashlib.sha256(body).hexdigest()
        assert [one.size for one in server.seen] == [size, size]
        assert server.judged() == [told, GOOD]
        assert post(proxy, body[::-1], chunked=chunked).status == 200
        assert proxy.curl(f"https://{HOST}{THINGS}").status == 200
        assert server.judged() == [GOOD, GOOD]
        server.turn()
        told = STALE


@pytest.mark.parametrize("size", [0, 5, 5 * MIB])
def test_revoked_credential_is_renewed_and_a_stale_nonce_learned(
    place: Place, server: ToyServer, size: int
):
    """Each by itself, and both for one request, in either order."""
    proxy, body = start(place, server), bytes(size)
    assert post(proxy, body).status == 200
    server.forget()

    server.revoke()
    assert post(proxy, body).status == 200
    assert server.judged() == [REVOKED, GOOD]

    server.turn()
    assert post(proxy, body).status == 200
    assert server.judged() == [STALE, GOOD]

    server.turn()
    server.revoke()
    assert post(proxy, body).status == 200
    assert server.judged() == [REVOKED, STALE, GOOD]

    server.always = (STALE, REVOKED, GOOD)
    assert post(proxy, body).status == 200
    assert server.judged() == [STALE, REVOKED, GOOD]
    assert len(server.keys) == 4


@pytest.mark.parametrize(
    ("always", "first", "second"),
    [
        ((STALE,), [STALE, STALE], [STALE, STALE]),
        # What renewing did not help is given back at once for a while.
        ((REVOKED,), [REVOKED, REVOKED], [REVOKED]),
        ((REVOKED, STALE), [REVOKED, STALE, REVOKED], [STALE, REVOKED]),
        ((STALE, REVOKED), [STALE, REVOKED, STALE], [REVOKED, STALE, REVOKED]),
        ((WRONG,), [WRONG], [WRONG]),
    ],
)
def test_at_most_one_renewal_and_one_again(
    place: Place, server: ToyServer, always: tuple, first: list, second: list
):
    """A server that is never content gets each once, and the client its last 401."""
    proxy = start(place, server)
    assert post(proxy, b"12345").status == 200
    server.forget()
    server.always = always
    answer = post(proxy, b"12345")
    assert answer.status == 401
    assert answer.fields["www-authenticate"].startswith("Toy ")
    assert server.judged() == first
    assert post(proxy, b"12345").status == 401
    assert server.judged() == second
    assert len(server.keys) <= 3


@pytest.mark.parametrize("chunked", [False, True], ids=["known", "chunked"])
@pytest.mark.parametrize("limit", ["replay_body_limit", "spool_limit"])
def test_body_beyond_a_limit_is_refused(
    place: Place, server: ToyServer, limit: str, chunked: bool
):
    """Nothing of it leaves; the client is told, and a shorter one goes its way."""
    proxy = start(place, server, more=f'[proxy]\n{limit} = "2MiB"\n')
    answer = post(proxy, bytes(3 * MIB), chunked=chunked)
    check_refused(answer, 413, "body_not_kept")
    assert limit in answer.json["detail"]
    assert server.judged() == []
    assert post(proxy, bytes(2 * MIB), chunked=chunked).status == 200
    assert post(proxy, bytes(2 * MIB), chunked=chunked).status == 200


def test_body_that_ends_half_way_leaves_nothing(place: Place, server: ToyServer):
    """A client that goes in the middle of its body: the server sees no request."""
    proxy = start(place, server)
    for head in ({"Content_Length": "10"}, {"Transfer_Encoding": "chunked"}):
        with Tunnel(proxy, HOST) as tunnel:
            tunnel.begin("POST", THINGS, **head)
            tunnel.send(b"5\r\n12345")
    assert post(proxy, b"12345").status == 200
    assert [one.size for one in server.seen] == [5, 5]


def test_long_answer_to_a_long_body_is_told(place: Place, server: ToyServer):
    """Only a request from the spool has its answer held; the client learns of it."""
    proxy = start(place, server)
    assert post(proxy, b"12345").status == 200
    server.padding = 5 * MIB
    assert len(post(proxy, b"12345").body) > 5 * MIB
    answer = post(proxy, bytes(2 * MIB))
    check_refused(answer, 502, "answer_too_long")


def test_lost_server_is_told(place: Place, server: ToyServer):
    """A long body goes by a connection of its own; where there is none: 502."""
    proxy = start(place, server)
    with Tunnel(proxy, HOST) as tunnel:
        assert tunnel.ask("POST", THINGS, b"12345").status == 200
        server.close()
        answer = tunnel.ask("POST", THINGS, bytes(2 * MIB))
    check_refused(answer, 502, "server_lost")


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc"
)
@pytest.mark.parametrize("length", ["Content-Length", "Transfer-Encoding"])
def test_memory_is_bounded_however_long_the_body(
    place: Place, server: ToyServer, length: str
):
    """200 MiB are held back, signed and sent; the proxy grows by a part of that."""
    proxy = start(place, server)
    assert post(proxy, bytes(2 * MIB)).status == 200
    before = proxy.process.rss()
    zeros = place.root / "zeros"
    with zeros.open("wb") as file:
        file.truncate(200 * MIB)
    fields = () if length == "Content-Length" else ("-H", f"{length}: chunked")
    answer = proxy.curl(
        f"https://{HOST}{THINGS}", "-X", "POST", "-T", str(zeros), *fields
    )
    assert answer.status == 200
    assert server.seen[-1].size == 200 * MIB
    assert proxy.process.peak() - before < 40 * MIB


def test_request_moved_while_it_waits_for_its_body_is_refused(
    place: Place, server: ToyServer
):
    """What a script does to it in between is seen before anything is signed."""
    proxy = start(place, server, "moving_script.py")
    assert post(proxy, b"12345").status == 200
    server.forget()
    for move in ("only_host", "port", "path", "field", "url"):
        for size in (5, 2 * MIB):
            with Tunnel(proxy, HOST) as tunnel:
                answer = tunnel.ask(
                    "POST", THINGS, bytes(size), X_Move=f"request {move}"
                )
            check_refused(answer, 500, "request_moved")
    assert server.judged() == []


def test_signatures_are_in_no_saved_flow(place: Place, server: ToyServer):
    """What the scheme owns is a mark in what is saved, of replays as well."""
    file = place.root / "saved"
    proxy = start(place, server, save=str(file))
    for size in (0, 5, 2 * MIB):
        assert post(proxy, bytes(size)).status == 200
    proxy.process.stop()
    saved = file.read_bytes()
    signatures = [one.signature for one in server.seen if one.signature]
    assert len(signatures) >= 3
    assert not [text for text in signatures if text.encode() in saved]
    assert len(re.findall(rb"(?i)toy-signature,\d+:\[everbearer:", saved)) >= 3
    assert b"canary" not in saved + proxy.process.output.encode()
