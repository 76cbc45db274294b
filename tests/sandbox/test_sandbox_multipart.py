"""The multipart parser that uploads go through."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.sandbox.multipart import (
    HEAD_LIMIT,
    Multipart,
    MultipartError,
    boundary_of,
)


def _parsed(chunks: list[bytes], boundary: bytes = b"BOUND") -> list[tuple[str, bytes]]:
    order: list[str] = []
    parts: dict[str, bytes] = defaultdict(bytes)

    def take(name: str, piece: bytes) -> None:
        if not piece:
            order.append(name)
        parts[name] += piece

    parser = Multipart(boundary, take)
    for chunk in chunks:
        parser.feed(chunk)
    parser.finish()
    return [(name, parts[name]) for name in order]


def _form(parts: list[tuple[str, bytes]], boundary: bytes = b"BOUND") -> bytes:
    body = b""
    for name, content in parts:
        head = f'Content-Disposition: form-data; name="{name}"; filename="x"'
        body += b"--" + boundary + b"\r\n" + head.encode() + b"\r\n"
        body += b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


# Contents full of what the parser looks for.
TRICKY = st.lists(
    st.sampled_from([b"\r\n", b"--", b"BOUND", b"-", b"\r", b"\n", b"B", b"x", b"\x00"])
).map(b"".join)


@given(
    contents=st.lists(TRICKY, min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 400)),
)
def test_parts_do_not_depend_on_how_the_body_is_cut(contents, cuts):
    """Each part has the same bytes, however the body arrives."""
    parts = [
        (f"part{number}", content.replace(b"\r\n--BOUND", b""))
        for number, content in enumerate(contents)
    ]
    if any(b"\r\n--BOUND" in b"\r\n" + content for _, content in parts):
        return
    body = _form(parts)
    edges = sorted({0, *(cut % len(body) for cut in cuts), len(body)})
    chunks = [body[a:b] for a, b in pairwise(edges)]
    assert _parsed(chunks) == parts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        _form([("a", b"x")])[:-6],
        b"--BOUNDary\r\n\r\n",
        b"--BOUND\r\nContent-Type: text/plain\r\n\r\nx\r\n--BOUND--",
        b"--BOUND\r\nX: " + b"x" * HEAD_LIMIT + b"\r\n\r\n",
    ],
)
def test_what_is_no_complete_form_is_refused(body):
    """A form that ends early, has no names or no boundaries raises."""
    with pytest.raises(MultipartError):
        _parsed([body])


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b"', b"a b"),
        ("Multipart/Form-Data; charset=utf-8; Boundary=abc; x=y", b"abc"),
    ],
)
def test_boundary_is_read_from_the_content_type(content_type, boundary):
    """RFC 2046 §5.1.1: quoted or not, among other parameters."""
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data"])
def test_content_type_without_boundary_is_refused(content_type):
    """Without a boundary there is no form."""
    with pytest.raises(MultipartError):
        boundary_of(content_type)
