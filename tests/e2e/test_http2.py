"""Clients that speak HTTP/2, where it is off and where it is on."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator

import pytest

from harness import curl
from hostile_row import API, ME
from hostile_row import request as http1_request
from hostile_stage import Stage, staged
from http2_client import Fields, Http2, request
from raw_client import CLOSED, Reply, connected

HTTP2 = '[proxy]\nhttp2 = true\nunmatched_hosts = "inspect"\n'
SMUGGLED = b"GET /2.0/smuggled HTTP/1.1\r\nHost: api.box.com\r\n\r\n"

type Ask = tuple[Fields, bytes]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start a proxy as it is by default."""
    with staged(tmp_path_factory.mktemp("plain")) as stage:
        yield stage
        assert not stage.betrayed()


@pytest.fixture(scope="module")
def http2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """
    Start a proxy with HTTP/2, which reads what no rule names as well.

    Behind another proxy it agrees to HTTP/2 before it knows what the server
    speaks, which here is HTTP/1.
    """
    root = tmp_path_factory.mktemp("http2")
    with staged(root, more=HTTP2, by_upstream=True) as stage:
        yield stage
        assert not stage.betrayed()


@pytest.fixture(scope="module")
def unframed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start the same and take the guard of bodies out."""
    root = tmp_path_factory.mktemp("unframed")
    with staged(root, "no_framing.py", more=HTTP2, by_upstream=True) as stage:
        yield stage


def ask(stage: Stage, target: str, sni: str, *asks: Ask) -> list[Reply]:
    """Send requests through one tunnel and return the answers."""
    connect = http1_request(target, target, method="CONNECT").encode()
    port = stage.proxy.port
    with connected(port, connect=connect, sni=sni, alpn=("h2",)) as channel:
        assert isinstance(channel, ssl.SSLSocket), channel
        assert channel.selected_alpn_protocol() == "h2"
        client = Http2(channel)
        return [client.ask(fields, body) for fields, body in asks]


def by_curl(stage: Stage, *arguments: str) -> tuple[int, str, bytes]:
    """Return status, version of HTTP, and body."""
    answer = stage.proxy.curl("--http2", "-w", "\n%{http_version}", *arguments)
    body, _, version = answer.body.rpartition(b"\n")
    return answer.status, version.decode(), body


def test_client_that_offers_http2_is_served_as_http1(plain: Stage):
    """By default the proxy does not agree to HTTP/2, and everything works."""
    status, version, _ = by_curl(plain, f"https://{API}{ME}")
    assert (status, version) == (200, "1.1")


def test_reverse_listener_does_not_take_http2_by_surprise(plain: Stage):
    """HTTP/2 without asking, which no option turns off, gets no token either."""
    plain.sandbox.forget()
    url = f"http://127.0.0.1:{plain.reverse}{ME}"

    answer = curl("--http2-prior-knowledge", url)

    assert answer.status != 200
    assert plain.arrived() == 0


def test_http2_where_it_is_on(http2: Stage):
    """With `http2 = true` requests, with and without a body, are answered over it."""
    got = by_curl(http2, f"https://{API}{ME}")
    assert got[:2] == (200, "2")

    form = '{"name":"by http2","parent":{"id":"0"}}'
    made = by_curl(http2, "--json", form, f"https://{API}/2.0/folders")
    assert made[:2] == (201, "2")


def test_http2_upload_is_replayed(http2: Stage):
    """An upload that meets a revoked token is sent once more, the same bytes."""
    assert by_curl(http2, f"https://{API}{ME}")[0] == 200
    assert http2.sandbox.revoke()
    http2.sandbox.forget()
    form = '{"name":"replayed","parent":{"id":"0"}}'

    status, version, _ = by_curl(http2, "--json", form, f"https://{API}/2.0/folders")

    assert (status, version) == (201, "2")
    entries = http2.sandbox.requests(path="/2.0/folders")
    digest = hashlib.sha256(form.encode()).hexdigest()
    assert [(entry["status"], entry["body_sha256"]) for entry in entries] == [
        (401, digest),
        (201, digest),
    ]


SMUGGLING = {
    "POST": request("/2.0/folders", method="POST"),
    "PUT": request("/2.0/folders", method="PUT"),
    "another method": request("/2.0/folders", method="PROPFIND"),
    "GET with a body": request("/2.0/folders"),
    "DELETE with a body": request("/2.0/folders", method="DELETE"),
    "length of nothing": request(
        "/2.0/folders", API, ("content-length", "0"), method="POST"
    ),
    "short length": request(
        "/2.0/folders", API, ("content-length", "3"), method="POST"
    ),
    "long length": request(
        "/2.0/folders", API, ("content-length", "9999"), method="POST"
    ),
    "two lengths": request(
        "/2.0/folders",
        API,
        ("content-length", "0"),
        ("content-length", str(len(SMUGGLED))),
        method="POST",
    ),
    "chunks": request(
        "/2.0/folders", API, ("transfer-encoding", "chunked"), method="POST"
    ),
    "line ends in a value": request(
        "/2.0/folders", API, ("x-note", f"a\r\n\r\n{SMUGGLED.decode()}")
    ),
    "line ends in the path": request(
        "/2.0/folders HTTP/1.1\r\nHost: api.box.com\r\n\r\nGET /2.0/smuggled", API
    ),
}
UNFRAMED = ["POST", "PUT", "another method", "GET with a body", "DELETE with a body"]


def smuggle(stage: Stage, name: str, host: str) -> Reply:
    """Send the body that looks like a request."""
    stage.sandbox.forget()
    fields = [
        (key, host if key == ":authority" else value) for key, value in SMUGGLING[name]
    ]
    [reply] = ask(stage, f"{host}:443", host, (fields, SMUGGLED))
    return reply


@pytest.mark.parametrize("host", [API, "evil.test"])
@pytest.mark.parametrize("name", SMUGGLING)
def test_body_never_becomes_a_request(http2: Stage, name: str, host: str):
    """No server, named by a rule or not, reads the body of one request as another."""
    before = len(http2.wrong.received())

    reply = smuggle(http2, name, host)

    # A request of our own by the same way comes after whatever that one left.
    [after] = ask(http2, f"{host}:443", host, (request(ME, host), b""))
    assert after.status == 200
    assert not http2.sandbox.requests(path="/2.0/smuggled")
    assert b"smuggled" not in http2.wrong.received()[before:]
    if name in {"POST", "PUT", "another method"}:
        # An answer would have to wait for a body that may never end.
        assert str(reply) == CLOSED
        http2.proxy.process.wait_for(f"{host}.*length_required")


@pytest.mark.parametrize("host", [API, "evil.test"])
@pytest.mark.parametrize("name", UNFRAMED)
def test_body_becomes_a_request_without_the_guard(
    unframed: Stage, name: str, host: str
):
    """The same bodies do get through as requests where the guard is out."""
    smuggle(unframed, name, host)

    if host == API:
        [entry] = unframed.sandbox.wait(path="/2.0/smuggled")
        assert entry["method"] == "GET"
    else:
        assert SMUGGLED in unframed.wrong.received()


HOSTILE = {
    ":authority of another": (request(ME, "evil.test"), "421 misdirected"),
    "Host of another": (request(ME, API, ("host", "evil.test")), CLOSED),
    "Host alone, of another": (
        request(ME, None, ("host", "evil.test")),
        "421 misdirected",
    ),
    "user information": (request(ME, "api.box.com@evil.test"), CLOSED),
    "another port": (request(ME, "api.box.com:8443"), "421 wrong_port"),
    "no name at all": (request(ME, None), CLOSED),
    "plain http in name only": (request(scheme="http"), "200 box"),  # TLS all the way
    "absolute path": (request("https://evil.test/2.0/users/me"), "400 invalid_path"),
    "path without a slash": (request("2.0/users/me"), "400 invalid_path"),
    "dot segments": (request("/2.0/../oauth2/token"), "401 box"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_http2_request_gets_no_token(http2: Stage, name: str):
    """The names in an HTTP/2 request are held to the same law."""
    fields, answer = HOSTILE[name]
    http2.sandbox.forget()
    before = len(http2.wrong.received())

    [reply] = ask(http2, f"{API}:443", API, (fields, b""))

    assert http2.arrived() == (answer == "200 box")
    assert not http2.betrayed(before)
    assert str(reply) == answer


def test_streams_of_one_connection_are_judged_one_by_one(http2: Stage):
    """One stream is refused, the ones before and after it are answered."""
    good, bad = request(), request(ME, "evil.test")
    replies = ask(http2, f"{API}:443", API, (good, b""), (bad, b""), (good, b""))
    assert [reply.status for reply in replies] == [200, 421, 200]


def test_http2_tunnel_to_another_with_a_forged_sni(http2: Stage):
    """CONNECT to one and SNI of another: the stream is refused."""
    [reply] = ask(http2, "evil.test:443", API, (request(), b""))
    assert str(reply) == "421 misdirected"
