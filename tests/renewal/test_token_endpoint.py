"""The token endpoint over real sockets and real TLS."""

from __future__ import annotations

import gzip
import logging
import traceback
import zlib

import httpx
import pytest

from everbearer.errors import (
    ConfigError,
    GrantError,
    TokenEndpointUnavailable,
    TokenResponseMalformed,
)
from everbearer.policy.hosts import HostPattern
from everbearer.renewal.clock import SystemClock
from everbearer.renewal.endpoint import ANSWER_LIMIT, TokenEndpoint
from everbearer.renewal.network_errors import unavailable
from everbearer.secret import Secret
from everbearer.settings.model import Address, ConnectTo, NetworkSettings
from renewal.tls_server import authority, field_of, http, serving

pytestmark = pytest.mark.real

URL = "https://api.box.com/oauth2/token"
CANARY = "canary-of-a-secret"
FORM = (("grant_type", "client_credentials"), ("client_secret", Secret(CANARY)))
GOOD = http("200 OK", b'{"ok":1}', "Date: Sun, 06 Nov 1994 08:49:37 GMT")


def network(tmp_path, port, **changes) -> NetworkSettings:
    """Lead api.box.com to a port of this machine."""
    settings = {
        "connect_to": (
            ConnectTo(HostPattern("api.box.com"), 443, Address("127.0.0.1", port)),
        ),
        "ca_file": authority(tmp_path),
    }
    return NetworkSettings(**settings | changes)


async def ask(settings: NetworkSettings, url: str = URL, patience: float = 25.0):
    """Make one exchange."""
    endpoint = TokenEndpoint(settings, SystemClock(), timeout=patience)
    return await endpoint(url, FORM)


async def test_an_exchange_by_connect_to_keeps_the_name(tmp_path) -> None:
    """Dialled elsewhere, checked against and told the real name; the form arrives."""
    async with serving(tmp_path, answer=GOOD) as server:
        exchange = await ask(network(tmp_path, server.port))
    assert exchange.answer.status == 200
    assert exchange.answer.body == b'{"ok":1}'
    assert exchange.server_date == 784111777
    assert exchange.sent_at <= exchange.received_at
    (head,) = server.heads
    assert head.startswith(b"POST /oauth2/token HTTP/1.1\r\n")
    assert field_of(head, b"host") == b"api.box.com"
    assert field_of(head, b"accept") == b"application/json"
    assert field_of(head, b"accept-encoding") == b"identity"
    assert b"cookie" not in head.lower()
    assert server.bodies == [
        b"grant_type=client_credentials&client_secret=canary-of-a-secret"
    ]


async def test_the_own_authorities_are_read_at_the_start(tmp_path) -> None:
    """What a start has found to be sound is not looked for again when it is needed."""
    async with serving(tmp_path, answer=GOOD) as server:
        settings = network(tmp_path, server.port)
        endpoint = TokenEndpoint(settings, SystemClock())
        settings.ca_file.unlink()
        exchange = await endpoint(URL, FORM)
    assert exchange.answer.status == 200


@pytest.mark.parametrize("name", ["evil.test", "127.0.0.1", "localhost"])
async def test_a_certificate_for_another_name_is_refused(tmp_path, name) -> None:
    """Also one that would fit the address dialled: the form is never sent."""
    async with serving(tmp_path, name, answer=GOOD) as server:
        with pytest.raises(TokenEndpointUnavailable, match="not valid") as failure:
            await ask(network(tmp_path, server.port))
    assert server.heads == []
    assert "connect_to" in failure.value.hint


async def test_an_unknown_authority_says_what_to_do(tmp_path) -> None:
    """Verification is on, and its failure names ca_file."""
    async with serving(tmp_path, answer=GOOD) as server:
        with pytest.raises(TokenEndpointUnavailable, match=r"api\.box\.com") as failure:
            await ask(network(tmp_path, server.port, ca_file=None))
    assert server.heads == []
    assert "network.ca_file" in failure.value.hint


async def test_plain_http_is_never_spoken() -> None:
    """A token_url without TLS is a mistake in the configuration."""
    with pytest.raises(ConfigError, match="use https"):
        await ask(NetworkSettings(), "http://api.box.com/oauth2/token")


async def test_proxies_of_the_environment_are_ignored(tmp_path, monkeypatch) -> None:
    """They may be ourselves."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(tmp_path, answer=GOOD) as server:
        assert (await ask(network(tmp_path, server.port))).answer.status == 200


async def test_the_upstream_proxy_is_asked_to_connect(tmp_path) -> None:
    """By CONNECT to the real name; its refusal is a trouble like any other."""
    async with serving(tmp_path, None) as proxy:
        settings = NetworkSettings(upstream_proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TokenEndpointUnavailable, match="upstream proxy"):
            await ask(settings)
    assert proxy.heads[0].startswith(b"CONNECT api.box.com:443 HTTP/1.1\r\n")
    assert proxy.bodies == []


async def test_connect_to_goes_directly(tmp_path) -> None:
    """What is dialled elsewhere does not go by the upstream proxy."""
    async with serving(tmp_path, answer=GOOD) as server:
        settings = network(tmp_path, server.port, upstream_proxy="http://127.0.0.1:9")
        assert (await ask(settings)).answer.status == 200


@pytest.mark.parametrize(
    "location",
    [
        "https://api.box.com/elsewhere",
        "https:elsewhere",
        "mailto:somebody",
        "//\u00e4",
        "https://[::",
        "https://" + "a" * 70_000,
    ],
)
async def test_redirects_are_not_followed(tmp_path, location) -> None:
    """The answer is what the endpoint itself said, and the form goes nowhere else."""
    answer = http("302 Found", b"", f"Location: {location}")
    async with serving(tmp_path, answer=answer) as server:
        exchange = await ask(network(tmp_path, server.port))
    assert exchange.answer.status == 302
    assert len(server.heads) == 1


async def test_cookies_are_not_kept(tmp_path) -> None:
    """Box sends several; the next exchange brings none back."""
    answer = http("200 OK", b"{}", "Set-Cookie: box_visitor_id=1; Path=/")
    async with serving(tmp_path, answer=answer) as server:
        endpoint = TokenEndpoint(network(tmp_path, server.port), SystemClock())
        await endpoint(URL, FORM)
        await endpoint(URL, FORM)
    assert len(server.heads) == 2
    assert b"cookie" not in server.heads[1].lower()


async def test_a_huge_answer_is_cut_off(tmp_path) -> None:
    """50 MB, or no end at all: read up to the limit, then malformed."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with serving(tmp_path, answer=head, endless=b"x" * 65536) as server:
        with pytest.raises(TokenResponseMalformed, match="more than 256 KiB"):
            await ask(network(tmp_path, server.port))
    assert server.sent < 50_000_000


async def test_an_answer_at_the_limit_is_read(tmp_path) -> None:
    """256 KiB are allowed, one byte more is not."""
    async with serving(tmp_path, answer=http("200 OK", b"x" * ANSWER_LIMIT)) as server:
        exchange = await ask(network(tmp_path, server.port))
        assert len(exchange.answer.body) == ANSWER_LIMIT
        server.answer = http("200 OK", b"x" * (ANSWER_LIMIT + 1))
        with pytest.raises(TokenResponseMalformed):
            await ask(network(tmp_path, server.port))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b'{"ok":1}', mtime=0)),
        (" GZip", gzip.compress(b'{"ok":1}', mtime=0)),
        ("deflate", zlib.compress(b'{"ok":1}')),
        ("", b'{"ok":1}'),
        ("identity", b'{"ok":1}'),
    ],
)
async def test_a_coding_that_nobody_asked_for_is_undone(tmp_path, coding, body) -> None:
    """What is in it may be the only refresh token that the server still takes."""
    coded = http("200 OK", body, f"Content-Encoding: {coding}")
    async with serving(tmp_path, answer=coded) as server:
        exchange = await ask(network(tmp_path, server.port))
    assert exchange.answer.body == b'{"ok":1}'


@pytest.mark.parametrize(
    ("coding", "body", "message"),
    [
        (
            "gzip",
            gzip.compress(b"\0" * 10_000_000, mtime=0),
            "cannot be undone within 256 KiB",
        ),
        ("gzip", gzip.compress(b'{"ok":1}', mtime=0)[:-3], "cannot be undone"),
        ("deflate", b"neither", "cannot be undone"),
        ("br", b"whatever", "content coding that was not asked for"),
    ],
)
async def test_a_coding_that_cannot_be_undone_is_told(
    tmp_path, coding, body, message
) -> None:
    """A small answer may be huge inside; broken, cut or unknown: malformed."""
    coded = http("200 OK", body, f"Content-Encoding: {coding}")
    async with serving(tmp_path, answer=coded) as server:
        with pytest.raises(TokenResponseMalformed, match=message):
            await ask(network(tmp_path, server.port))


async def test_an_empty_answer_has_no_coding(tmp_path) -> None:
    """A server names one all the same: the body is empty, as its status says."""
    empty = http("409 Conflict", b"", "Content-Encoding: gzip")
    async with serving(tmp_path, answer=empty) as server:
        exchange = await ask(network(tmp_path, server.port))
    assert (exchange.answer.status, exchange.answer.body) == (409, b"")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"silent": True}, "in time"),
        ({"answer": b"SSH-2.0-canary-of-a-secret\r\n\r\n"}, "not HTTP"),
        ({"answer": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}, "broke off"),
        ({"answer": b""}, "broke off"),
    ],
)
async def test_broken_answers_are_unavailable(tmp_path, how, message) -> None:
    """Silence, another protocol, half an answer, none: a host and a cause in words."""
    async with serving(tmp_path, **how) as server:
        with pytest.raises(TokenEndpointUnavailable, match=message) as failure:
            await ask(network(tmp_path, server.port), patience=0.5)
    assert failure.value.message.startswith("cannot reach api.box.com: ")
    assert CANARY not in failure.value.message


async def test_an_endpoint_that_does_not_speak_tls(tmp_path) -> None:
    """The TLS failure is told in OpenSSL's word for it."""
    async with serving(tmp_path, None, answer=GOOD, hasty=True) as server:
        with pytest.raises(
            TokenEndpointUnavailable, match=r"TLS failed .*WRONG_VERSION"
        ):
            await ask(network(tmp_path, server.port))


async def test_a_refused_connection_is_told_in_the_systems_words(tmp_path) -> None:
    """Nobody listens there any more."""
    async with serving(tmp_path, answer=GOOD) as server:
        port = server.port
    with pytest.raises(TokenEndpointUnavailable, match=r"no connection"):
        await ask(network(tmp_path, port))


async def test_no_error_and_no_log_holds_the_form(tmp_path, caplog) -> None:
    """Neither message, nor hint, nor cause, nor context, nor debug log."""
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path, silent=True) as server:
        with pytest.raises(GrantError) as failure:
            await ask(network(tmp_path, server.port), patience=0.3)
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None
    told = "".join(traceback.format_exception(failure.value)) + failure.value.hint
    assert CANARY.encode() in server.bodies[0]
    assert CANARY not in told + caplog.text


def test_a_ca_file_that_is_none_is_a_configuration_error(tmp_path) -> None:
    """Missing, or no PEM: the key and the file are named, at once."""
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no certificate")
    for path in (damaged, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=r"network\.ca_file") as failure:
            TokenEndpoint(NetworkSettings(ca_file=path), SystemClock())
        assert str(path) in str(failure.value)


def test_every_trouble_that_httpx_knows_has_words() -> None:
    """The table covers all that httpx raises for an exchange."""

    def below(kind):
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    for kind in below(httpx.RequestError):
        if kind.__module__ == "httpx":
            error = unavailable("api.box.com", kind(CANARY))
            assert error.message.startswith("cannot reach api.box.com: ")
            assert CANARY not in error.message
