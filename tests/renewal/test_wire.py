"""One request as it is on the wire, over real sockets and real TLS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest

from everbearer.errors import TokenEndpointUnavailable
from everbearer.policy.hosts import HostPattern
from everbearer.renewal.wire import Body, Wire
from everbearer.secret import Secret
from everbearer.settings.model import Address, ConnectTo, NetworkSettings
from renewal.tls_server import authority, certificate, http

pytestmark = pytest.mark.real

URL = "https://api.box.com/2.0/users/me?x=1"
CANARY = "canary-of-a-secret"
FIELDS = {"Authorization": Secret(f"Bearer {CANARY}")}
EARLY = b"HTTP/1.1 401 No\r\nWWW-Authenticate: A\r\nWWW-Authenticate: B\r\n\r\n"


@asynccontextmanager
async def talking(tmp_path, talk):
    """Serve as api.box.com; *talk* has each connection."""

    async def serve(reader, writer):
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, "api.box.com"))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def wire(tmp_path, port, patience=25.0) -> Wire:
    """Lead api.box.com to a port of this machine."""
    there = ConnectTo(HostPattern("api.box.com"), 443, Address("127.0.0.1", port))
    network = NetworkSettings((there,), ca_file=authority(tmp_path))
    return Wire(network, patience=patience)


async def test_a_request_and_its_answer(tmp_path):
    """By the name that was meant; a secret is sent and not shown."""
    heads = []

    async def talk(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        assert await reader.readexactly(2) == b"hi"
        writer.write(http("200 OK", b'{"a":1}', "X-Y: z"))
        await reader.read()  # the connection stays: the length says where it ends

    async with talking(tmp_path, talk) as port:
        heard = await wire(tmp_path, port).ask("PUT", URL, FIELDS, b"hi")

    assert (heard.status, heard.body, heard.sent) == (200, b'{"a":1}', 2)
    assert heard.fields["x-y"] == "z"
    assert 'a":1' not in repr(heard)
    assert heads[0].startswith(
        b"PUT /2.0/users/me?x=1 HTTP/1.1\r\nHost: api.box.com\r\n"
    )
    assert f"Authorization: Bearer {CANARY}".encode() in heads[0]


async def test_chunks_are_read_as_one_body(tmp_path):
    """Also where the server keeps the connection."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        await reader.read()

    async with talking(tmp_path, talk) as port:
        heard = await wire(tmp_path, port).ask("GET", URL, FIELDS)

    assert (heard.status, heard.body) == (404, b"abcde")


async def test_an_answer_before_the_body_is_told(tmp_path):
    """No more is sent then, and how much had left is known."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1000)
        writer.write(EARLY)
        await reader.read()

    async with talking(tmp_path, talk) as port:
        body = Body(announced=1 << 30, sent=1 << 24)
        heard = await wire(tmp_path, port).ask("POST", URL, FIELDS, body)

    assert heard.status == 401
    assert heard.fields["www-authenticate"] == "A, B"
    assert 0 < heard.sent < body.sent


async def test_a_server_that_waits_for_the_whole_body_is_left(tmp_path):
    """It never gets it: nothing is made of what was begun."""
    got = bytearray()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        while piece := await reader.read(1 << 16):
            got.extend(piece)

    async with talking(tmp_path, talk) as port:
        body = Body(announced=1 << 20, sent=1 << 17)
        asked = wire(tmp_path, port, patience=2.0).ask("POST", URL, FIELDS, body)
        assert await asked is None

    assert len(got) <= body.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 " + b"a" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
    ids=len,
)
async def test_what_is_no_answer_is_none(tmp_path, answer):
    """The server was reached, and that is all."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with talking(tmp_path, talk) as port:
        assert await wire(tmp_path, port).ask("GET", URL, FIELDS) is None


async def test_a_certificate_is_always_checked(tmp_path):
    """Neither the secret nor anything else leaves for another name."""
    got = []

    async def talk(reader, writer):
        got.append(await reader.read(10))

    async with talking(tmp_path, talk) as port:
        there = ConnectTo(
            HostPattern("upload.box.com"), 443, Address("127.0.0.1", port)
        )
        other = Wire(NetworkSettings((there,), ca_file=authority(tmp_path)))
        with pytest.raises(TokenEndpointUnavailable, match="certificate") as caught:
            await other.ask("GET", "https://upload.box.com/", FIELDS)
        untrusting = Wire(
            NetworkSettings(
                (
                    ConnectTo(
                        HostPattern("api.box.com"), 443, Address("127.0.0.1", port)
                    ),
                )
            )
        )
        with pytest.raises(TokenEndpointUnavailable, match="certificate"):
            await untrusting.ask("GET", URL, FIELDS)

    assert CANARY not in str(caught.value)
    assert not any(got)


async def test_only_https_is_asked(tmp_path):
    """A secret is never sent in clear."""
    with pytest.raises(TokenEndpointUnavailable, match="https"):
        await wire(tmp_path, 1).ask("GET", "http://api.box.com/", FIELDS)


@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 " + b"a" * 100_000,
    ],
    ids=len,
)
async def test_the_upstream_proxy_is_the_way_and_the_environments_is_not(
    monkeypatch, refusal
):
    """By CONNECT, and TLS with the server inside of it; a refusal is told."""
    connects = []

    async def proxy(reader, writer):
        connects.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(refusal)
        writer.close()

    listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    try:
        port = listening.sockets[0].getsockname()[1]
        network = NetworkSettings(upstream_proxy=f"http://127.0.0.1:{port}")
        with pytest.raises(
            TokenEndpointUnavailable, match=r"cannot reach api\.box\.com"
        ):
            await Wire(network).ask("GET", URL, FIELDS)
    finally:
        listening.close()
    assert connects[0].startswith(b"CONNECT api.box.com:443 HTTP/1.1\r\n")
    assert CANARY.encode() not in connects[0]


async def test_the_tunnel_carries_the_request(tmp_path):
    """Through the proxy to the server that is checked by its name."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http("204 No", b""))

    async with talking(tmp_path, talk) as port:

        async def proxy(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            there, out = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(pump(reader, out), pump(there, writer))

        listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
        try:
            address = listening.sockets[0].getsockname()
            network = NetworkSettings(
                upstream_proxy=f"http://127.0.0.1:{address[1]}",
                ca_file=authority(tmp_path),
            )
            heard = await Wire(network).ask("GET", URL, FIELDS)
        finally:
            listening.close()
    assert heard.status == 204


async def pump(source, target):
    """Carry bytes one way."""
    try:
        while piece := await source.read(1 << 16):
            target.write(piece)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()
