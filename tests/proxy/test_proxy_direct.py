"""Which first bytes of a connection are a request in origin form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test.tflow import tclient_conn

from everbearer.proxy.direct import Direct

DIRECT = b"GET /2.0/users/me HTTP/1.1\r\n"
PROXIED = [
    b"GET http://example.com/ HTTP/1.1\r\n",
    b"CONNECT api.box.com:443 HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"\r\nGET / HTTP/1.1\r\n",
    b"",
    b" /",
    b"x" * 4096,
]


@pytest.mark.parametrize("data", PROXIED)
def test_what_is_for_a_proxy_is_let_by(data: bytes):
    """Absolute form, tunnels, TLS and what is no HTTP at all are judged elsewhere."""
    direct, client = Direct(), tclient_conn()
    assert direct.see(client, data)
    assert client not in direct


@pytest.mark.parametrize("method", [b"GET", b"M-SEARCH", b"x"])
def test_origin_form_is_found_however_it_arrives(method: bytes):
    """The first line may come in pieces: each is waited for, then it is known."""
    direct, client = Direct(), tclient_conn()
    line = method + b" /2.0/users/me HTTP/1.1\r\n"
    enough = line.index(b"/") + 1
    for size in range(1, enough):
        assert not direct.see(client, line[:size])
        assert client not in direct
    assert direct.see(client, line[:enough])
    assert client in direct
    assert tclient_conn() not in direct


@given(st.binary(min_size=34))
def test_nothing_is_waited_for_long(data: bytes):
    """Whatever it is, 34 bytes are enough to know."""
    assert Direct().see(tclient_conn(), data)
