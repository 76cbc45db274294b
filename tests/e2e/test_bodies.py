"""What a request carries arrives once more, whole, after a 401; or not at all."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import Answer, Place, Proxy, Sandbox, curl
from http2_front import config_behind_http2
from tunnel import Tunnel

ME = "/2.0/users/me"
THERE = "/2.0/anything"
URL = f"https://api.box.com{THERE}"
MIB = 1024 * 1024
FORM = b"name=caf%C3%A9&parent=0&note=" + b"x" * 5000
JSON = b'{"name": "report", "parent": {"id": "0"}, "note": "%s"}' % (b"y" * 5000)
MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n'
    b'{"name":"a"}\r\n--frontier\r\nContent-Disposition: form-data; name="file"; '
    b'filename="a"\r\nContent-Type: application/octet-stream\r\n\r\n'
    + bytes(range(256)) * 40
    + b"\r\n--frontier--\r\n"
)


@dataclass
class Stage:
    """A sandbox, and a proxy for each configuration, made when it is wanted."""

    place: Place
    sandbox: Sandbox
    proxies: dict[str, Proxy] = field(default_factory=dict)

    def proxy(self, name: str, make: Callable[[], Path] | None = None) -> Proxy:
        """Return the proxy of the configuration *name*, the sandbox's own or made."""
        if name not in self.proxies:
            config = make() if make else self.sandbox.state / f"{name}.toml"
            self.proxies[name] = Proxy(self.place, config)
        return self.proxies[name]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start the sandbox."""
    place = Place(tmp_path_factory.mktemp("bodies"))
    try:
        yield Stage(place, Sandbox(place))
    finally:
        place.close()


@pytest.fixture
def stage(shared: Stage) -> Stage:
    """Give what is shared, without the faults and the memory of another test."""
    shared.sandbox.call("DELETE", "faults")
    shared.sandbox.forget()
    return shared


def noise(size: int) -> bytes:
    """Return bytes that do not repeat: a lost or doubled piece changes the hash."""
    return random.Random(size).randbytes(size)


def rejected_then(
    sandbox: Sandbox, proxy: Proxy, *arguments: str
) -> tuple[Answer, list[dict]]:
    """Ask with a token that was revoked; return the answer and what the server saw."""
    assert proxy.curl(f"https://api.box.com{ME}").status == 200
    sandbox.forget()
    assert sandbox.revoke()
    answer = proxy.curl(*arguments)
    return answer, [e for e in sandbox.requests() if e["path"] != "/oauth2/token"]


BODIES: dict[str, tuple[bytes | int, list[str]]] = {
    "form": (FORM, ["--data-binary", "@body"]),
    "json": (
        JSON,
        ["--json", "@body"],
    ),
    "multipart": (
        MULTIPART,
        [
            *("-H", "Content-Type: multipart/form-data; boundary=frontier"),
            *("--data-binary", "@body"),
        ],
    ),
    "empty": (b"", ["-X", "POST", "-H", "Content-Length: 0"]),
    "one byte more than is kept in memory": (MIB + 1, ["-T", "body"]),
    "chunked": (3 * MIB, ["-H", "Transfer-Encoding: chunked", "-T", "body"]),
    "small and chunked": (b"abc", ["-H", "Transfer-Encoding: chunked", "-T", "body"]),
    "30 MB": (30_000_000, ["-T", "body"]),
}
"""Bodies, or the length of a noise, with curl's arguments for it."""


@pytest.mark.parametrize("kind", BODIES)
def test_rejected_body_is_sent_once_more_and_only_once(
    stage: Stage, tmp_path: Path, kind: str
):
    """After a 401 the server gets the same bytes again, and nothing a third time."""
    given, arguments = BODIES[kind]
    body = noise(given) if isinstance(given, int) else given
    (tmp_path / "body").write_bytes(body)
    arguments = [part.replace("body", f"{tmp_path}/body") for part in arguments]
    sandbox, proxy = stage.sandbox, stage.proxy("client_credentials")

    answer, seen = rejected_then(sandbox, proxy, *arguments, URL)

    # The sandbox has no such call; it says so to good tokens only.
    assert answer.status == 501
    assert [entry["status"] for entry in seen] == [401, 501]
    digest = hashlib.sha256(body).hexdigest() if body else None
    assert [entry["body_sha256"] for entry in seen] == [digest] * 2
    assert [entry["body_length"] for entry in seen] == [len(body)] * 2
    assert len(sandbox.token_requests()) == 1


def test_rejected_upload_form_of_curl_becomes_a_file(stage: Stage, tmp_path: Path):
    """A multipart upload that met a revoked token is answered 201, bytes intact."""
    content = noise(3 * MIB)
    file = tmp_path / "photo.bin"
    file.write_bytes(content)

    answer, seen = rejected_then(
        stage.sandbox,
        stage.proxy("refresh_token"),
        *("-F", 'attributes={"name":"photo.bin","parent":{"id":"0"}}'),
        *("-F", f"file=@{file}"),
        "https://upload.box.com/api/2.0/files/content",
    )

    assert answer.status == 201
    [made] = answer.json["entries"]
    assert made["sha1"] == hashlib.sha1(content).hexdigest()
    assert [entry["status"] for entry in seen] == [401, 201]
    assert seen[0]["body_sha256"] == seen[1]["body_sha256"]


@pytest.mark.parametrize("size", [2000, 5 * MIB])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_rejected_http2_upload_is_sent_once_more(
    stage: Stage, tmp_path: Path, size: int, length: str
):
    """An upload over HTTP/2, both sides, is replayed with the same bytes."""
    body = noise(size)
    (tmp_path / "body").write_bytes(body)
    unknown = ("-H", "Content-Length:") if length == "unknown" else ()

    answer, seen = rejected_then(
        stage.sandbox,
        stage.proxy("http2", lambda: config_behind_http2(stage.place, stage.sandbox)),
        *("--http2", "-w", "\n%{http_version}", *unknown),
        *("-T", f"{tmp_path}/body", URL),
    )

    assert answer.body.endswith(b"\n2")
    assert answer.status == 501
    digest = hashlib.sha256(body).hexdigest()
    assert [(e["status"], e["body_sha256"]) for e in seen] == [
        (401, digest),
        (501, digest),
    ]


@pytest.mark.parametrize("mode", ["keep", "close"])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_early_401_comes_back_and_the_next_try_is_answered(
    stage: Stage, mode: str, length: str
):
    """
    A 401 in the midst of an upload is given back, and renewed meanwhile.

    Half a body is never sent again, and nothing of it is ever answered 2xx.
    """
    sandbox, proxy = stage.sandbox, stage.proxy("client_credentials")
    half = noise(2 * MIB)
    if length == "known":
        framing, pieces = {"Content_Length": str(2 * len(half))}, [half, half]
    else:
        framing = {"Transfer_Encoding": "chunked"}
        pieces = [framed(half), framed(half) + framed(b"")]
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.forget()
        sandbox.fault({"early_401": mode}, path=THERE, times=1)
        tunnel.begin("PUT", THERE, **framing)
        tunnel.send(pieces[0])

        early = tunnel.answer()

        if mode == "keep":
            # The client may go on, and use the connection again.
            tunnel.send(pieces[1])
            assert tunnel.ask("GET", ME).status == 200
    assert early.status == 401
    assert early.fields["www-authenticate"].startswith("Bearer")
    assert len(sandbox.wait(1, path="/oauth2/token", phase="answered")) == 1
    with Tunnel(proxy) as tunnel:
        # The old token is known to be dead: this waits for the new one, if need be.
        again = tunnel.ask("PUT", THERE, half + half)
    assert again.status == 501
    first, second = sandbox.requests(path=THERE)
    assert first["token_label"] != second["token_label"]
    assert second["body_sha256"] == hashlib.sha256(half + half).hexdigest()
    assert len(sandbox.token_requests()) == 1


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("mode", ["keep", "close"])
def test_curl_ends_when_the_401_is_early(
    stage: Stage, tmp_path: Path, mode: str, http2: bool
):
    """Curl sees the 401 of a large upload that was answered early, and ends."""
    sandbox, place = stage.sandbox, stage.place
    (tmp_path / "body").write_bytes(noise(20 * MIB))
    upload = ("-T", f"{tmp_path}/body", "--http2" if http2 else "--http1.1", URL)
    proxy = stage.proxy("client_credentials")
    if http2:
        proxy = stage.proxy(
            "http2-streaming",
            lambda: config_behind_http2(place, sandbox, streaming=True),
        )
    assert proxy.curl(f"https://api.box.com{ME}").status == 200
    sandbox.fault({"early_401": mode}, path=THERE, times=1)

    early = proxy.curl(*upload)
    again = proxy.curl(*upload)

    # 501: the upload had already left, and was healed.
    assert early.status in {401, 501}, early
    assert again.status == 501
    whole = hashlib.sha256(noise(20 * MIB)).hexdigest()
    for entry in sandbox.requests(path=THERE):
        assert entry["status"] in {401, 501}
        assert entry["status"] == 401 or entry["body_sha256"] == whole


@pytest.mark.parametrize("mode", ["keep", "close"])
def test_early_401_for_a_small_body_is_healed(stage: Stage, mode: str):
    """What the proxy has whole is replayed, however early the 401 came."""
    sandbox, proxy = stage.sandbox, stage.proxy("client_credentials")
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.fault({"early_401": mode}, path=THERE, times=1)

        assert tunnel.ask("POST", THERE, JSON).status == 501

    assert sandbox.statuses(THERE) == [401, 501]
    digest = hashlib.sha256(JSON).hexdigest()
    assert sandbox.requests(path=THERE)[-1]["body_sha256"] == digest


LIMITS = {
    "length above replay_body_limit": ('replay_body_limit = "1MiB"', []),
    "chunks above replay_body_limit": (
        'replay_body_limit = "1MiB"',
        ["-H", "Transfer-Encoding: chunked"],
    ),
    "length above spool_limit": ('spool_limit = "1MiB"', []),
    "chunks above spool_limit": (
        'spool_limit = "1MiB"',
        ["-H", "Transfer-Encoding: chunked"],
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_body_above_a_limit_gets_its_401_as_it_was(
    stage: Stage, tmp_path: Path, case: str
):
    """A body that could not be kept: the server's own 401, and a renewed token."""
    limit, framing = LIMITS[case]
    body = noise(3 * MIB)
    (tmp_path / "body").write_bytes(body)
    sandbox, name = stage.sandbox, limit.split()[0]
    more = f"\n[proxy]\n{limit}\n"
    proxy = stage.proxy(
        name, lambda: sandbox.config(name, more, source="client_credentials")
    )
    upload = (*framing, "-T", f"{tmp_path}/body", URL)

    refused, seen = rejected_then(sandbox, proxy, *upload)

    assert [entry["status"] for entry in seen] == [401]
    assert seen[0]["body_sha256"] == hashlib.sha256(body).hexdigest()
    direct = curl(
        *("--cacert", str(sandbox.state / "ca.pem")),
        *("--connect-to", f"api.box.com:443:127.0.0.1:{sandbox.port}"),
        *("-H", "Authorization: Bearer dead", URL),
    )
    assert refused.status == direct.status == 401
    assert refused.body == direct.body
    changing = {"date", "box-request-id"}
    assert set(refused.fields) == set(direct.fields)
    for name in set(direct.fields) - changing:
        assert refused.fields[name] == direct.fields[name]
    sandbox.wait(1, path="/oauth2/token", phase="answered")
    assert proxy.curl(*upload).status == 501
    assert len(sandbox.token_requests()) == 1


def framed(data: bytes) -> bytes:
    """Return *data* as one chunk of HTTP/1.1."""
    return b"%x\r\n%s\r\n" % (len(data), data)
