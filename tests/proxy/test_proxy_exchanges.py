"""The coding of an answer that a client asked for is undone, within bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest
from mitmproxy.http import Response
from mitmproxy.net import encoding

from everbearer.proxy.exchanges import _decoded
from everbearer.renewal.endpoint import ANSWER_LIMIT

PLAIN = b'{"access_token": "a", "refresh_token": "b"}'


def answer_in(coding: str) -> Response:
    """Return an answer without its body."""
    response = Response.make(200)
    response.headers["Content-Encoding"] = coding
    return response


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", PLAIN),
        ("identity", PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZip", gzip.compress(PLAIN, mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("br", encoding.encode(PLAIN, "br")),
        ("zstd", encoding.encode(PLAIN, "zstd")),
    ],
)
def test_codings_are_undone(coding: str, body: bytes):
    """Those that clients ask for."""
    assert _decoded(answer_in(coding), coding, body) == PLAIN


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-9]),
        ("gzip", gzip.compress(b"x" * (ANSWER_LIMIT + 1), mtime=0)),
        ("br", b"not br"),
        ("br", b"x" * 5000),
        ("unheard-of", PLAIN),
    ],
)
def test_what_cannot_be_undone_is_an_error(coding: str, body: bytes):
    """Broken, cut, too much, too long, unknown: ValueError."""
    with pytest.raises(ValueError, match=r".*"):
        _decoded(answer_in(coding), coding, body)
