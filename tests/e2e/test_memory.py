"""However long a body is, the proxy's memory does not grow with it."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from growth import MIB, Growth
from harness import Place, Proxy, Sandbox
from tunnel import Tunnel

ME = "/2.0/users/me"
THERE = "/2.0/anything"
TOKEN = "/oauth2/token"
GIB = 1024 * MIB
CONFIG = "client_credentials.toml"

Measured = Callable[[str, object], None]


@pytest.fixture
def proxy(place: Place, sandbox: Sandbox) -> Proxy:
    """Start a proxy and let it load what the first request needs."""
    proxy = Proxy(place, sandbox.state / CONFIG)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        assert tunnel.ask("PUT", THERE, bytes(2 * MIB)).status == 501
    sandbox.forget()
    return proxy


def file_of(place: Place, size: int) -> Path:
    """Make a file that takes no room."""
    path = place.root / "zeros"
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_upload_of_1_gib(
    place: Place,
    sandbox: Sandbox,
    proxy: Proxy,
    length: str,
    record_property: Measured,
):
    """An upload of 1 GiB costs less than 32 MiB of memory."""
    framing = ("-H", "Transfer-Encoding: chunked") if length == "unknown" else ()
    growth = Growth(proxy.process)

    answer = proxy.curl(
        *(*framing, "-T", str(file_of(place, GIB))),
        f"https://api.box.com{THERE}",
        timeout=300,
    )

    assert answer.status == 501
    assert sandbox.requests(path=THERE)[0]["body_length"] == GIB
    grown = growth.mib()
    record_property("measured", f"1 GiB up, length {length}: memory +{grown:.0f} MiB")
    assert grown < 32


def test_download_of_1_gib(
    place: Place, sandbox: Sandbox, proxy: Proxy, record_property: Measured
):
    """A download of 1 GiB costs less than 32 MiB of memory."""
    file = sandbox.call("POST", "files", {"size": GIB})
    kept = place.root / "kept"
    growth = Growth(proxy.process)

    done = place.run(
        *("curl", "-sS", "-L", "-x", proxy.url, "--cacert", str(proxy.ca)),
        *("-o", str(kept), "-w", "%{http_code} %{size_download}\n"),
        f"https://api.box.com/2.0/files/{file['id']}/content",
    )
    done.wait_for(rf"^200 {GIB}$", timeout=300)

    grown = growth.mib()
    record_property("measured", f"1 GiB down: memory +{grown:.0f} MiB")
    assert grown < 32
    with kept.open("rb") as received:
        digest = hashlib.file_digest(received, "sha1").hexdigest()
    kept.unlink()
    assert digest == file["sha1"]


def test_endless_answer_streams(sandbox: Sandbox, proxy: Proxy):
    """An answer without end or length flows on as it comes."""
    sandbox.fault({"endless": True}, path=THERE, times=1)
    growth = Growth(proxy.process)

    with Tunnel(proxy) as tunnel:
        tunnel.begin("GET", THERE)
        received = tunnel.read_some(300 * MIB)

    assert received >= 300 * MIB
    assert growth.mib() < 32


def test_upload_of_200_mib_replayed(
    place: Place, sandbox: Sandbox, proxy: Proxy, record_property: Measured
):
    """An upload of 200 MiB that is sent again costs less than 64 MiB of memory."""
    sandbox.revoke()
    growth = Growth(proxy.process)

    answer = proxy.curl(
        *("-T", str(file_of(place, 200 * MIB)), f"https://api.box.com{THERE}"),
        timeout=300,
    )

    assert answer.status == 501
    first, second = sandbox.requests(path=THERE)
    assert (first["status"], second["status"]) == (401, 501)
    assert first["body_length"] == second["body_length"] == 200 * MIB
    assert first["body_sha256"] == second["body_sha256"]
    grown = growth.mib()
    record_property("measured", f"200 MiB up, replayed: memory +{grown:.0f} MiB")
    assert grown < 64


def test_upload_that_waits_for_a_token_stays_outside(
    sandbox: Sandbox, proxy: Proxy, record_property: Measured
):
    """While 400 MB wait for a token, the proxy reads next to nothing of them."""
    sandbox.call("POST", "tokens/expire", {})
    held = sandbox.hold(path=TOKEN)
    # A 401 makes the proxy ask for a token; who comes then has to wait.
    with ThreadPoolExecutor(1) as pool, Tunnel(proxy) as first, Tunnel(proxy) as upload:
        asking = pool.submit(first.ask, "GET", ME)
        sandbox.wait(1, path=TOKEN)
        growth = Growth(proxy.process)
        chunk = b"%x\r\n%s\r\n" % (MIB, bytes(MIB))

        upload.begin("PUT", THERE, Transfer_Encoding="chunked")
        sent = upload.send_until_blocked(chunk, 400, patience=2)

        grown = growth.mib()
        record_property("measured", f"400 MB wait for a token: memory +{grown:.0f} MiB")
        assert sent < 32
        assert grown < 32
        sandbox.release(held)
        assert asking.result().status == 200


def test_upload_that_meets_a_locked_store_stays_outside(sandbox: Sandbox, proxy: Proxy):
    """A look into a store that is locked takes a second at most, and no memory."""
    store = sqlite3.connect(sandbox.state / "tokens.db", isolation_level=None)
    growth = Growth(proxy.process)
    chunk = b"%x\r\n%s\r\n" % (MIB, bytes(MIB))
    with contextlib.closing(store), Tunnel(proxy) as upload:
        store.execute("BEGIN EXCLUSIVE")

        upload.begin("PUT", THERE, Transfer_Encoding="chunked")
        for _ in range(200):
            upload.send(chunk)
        upload.send(b"0\r\n\r\n")

        assert upload.answer().status == 501
        assert growth.mib() < 32
        store.execute("ROLLBACK")


def test_upload_that_waited_for_a_token_arrives_whole(
    place: Place, sandbox: Sandbox, proxy: Proxy
):
    """400 MB that waited for their token arrive, every byte of them."""
    sandbox.call("POST", "tokens/expire", {})
    held = sandbox.hold(path=TOKEN)
    with ThreadPoolExecutor(2) as pool, Tunnel(proxy) as first:
        asking = pool.submit(first.ask, "GET", ME)
        sandbox.wait(1, path=TOKEN)
        growth = Growth(proxy.process)
        upload = pool.submit(
            proxy.curl,
            *("-H", "Transfer-Encoding: chunked"),
            *("-T", str(file_of(place, 400_000_000)), f"https://api.box.com{THERE}"),
        )
        sandbox.release(held)
        assert asking.result().status == 200
        assert upload.result().status == 501

    [entry] = sandbox.requests(path=THERE)
    assert entry["body_length"] == 400_000_000
    assert growth.mib() < 64


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_refused_upload_is_cut_off(
    sandbox: Sandbox, proxy: Proxy, length: str, record_property: Measured
):
    """A refusal does not read what it refuses: the connection is closed."""
    sandbox.revoke()
    sandbox.fault({"status": 400, "body": {"error": "invalid_grant"}}, path=TOKEN)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).json["code"] == "reauthorization_required"
    growth = Growth(proxy.process)
    known = {"Content_Length": str(400 * MIB)}
    framing = known if length == "known" else {"Transfer_Encoding": "chunked"}
    with Tunnel(proxy) as tunnel:
        tunnel.begin("PUT", THERE, **framing)
        # Closed, not left to wait: that would be a TimeoutError.
        with pytest.raises((ConnectionError, ssl.SSLError)):  # noqa: PT012 - the first try may still leave
            while True:
                tunnel.send(b"%x\r\n%s\r\n" % (MIB, bytes(MIB)))

    grown = growth.mib()
    record_property("measured", f"400 MB refused, {length}: memory +{grown:.0f} MiB")
    assert grown < 32
    assert not sandbox.requests(path=THERE)
    assert "reauthorization_required" in proxy.process.output
