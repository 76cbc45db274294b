"""The content coding of an answer is undone, within bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.content_coding import inflate

LIMIT = 1000
PLAIN = bytes(range(250)) * 4


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("length", [0, 1, LIMIT - 1, LIMIT])
def test_gzip_and_deflate_are_undone(compress, length: int):
    """Whatever they hold, up to the limit itself."""
    assert inflate(compress(PLAIN[:length]), LIMIT) == PLAIN[:length]


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("length", [LIMIT + 1, 10_000_000])
def test_more_than_the_limit_is_an_error(compress, length: int):
    """A small body may be huge inside."""
    with pytest.raises(ValueError, match="too long"):
        inflate(compress(b"x" * length), LIMIT)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_half_a_body_is_an_error(compress):
    """Cut anywhere: damaged or not whole, never a part of it."""
    whole = compress(PLAIN)
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"not whole|damaged"):
            inflate(whole[:end], LIMIT)


@given(st.binary(max_size=100))
def test_anything_else_is_an_error_or_within_the_limit(body: bytes):
    """No other exception, and no more than was allowed."""
    try:
        plain = inflate(body, LIMIT)
    except ValueError:
        return
    assert len(plain) <= LIMIT
