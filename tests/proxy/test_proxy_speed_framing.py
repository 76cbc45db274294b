"""How long a body is, and what a hook is made of, is told as mitmproxy tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings
from mitmproxy.http import Headers, Request, Response
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import http

from everbearer.proxy.speed import parts
from proxy.mitmproxys_own import OWN

NAMES = st.sampled_from(
    [
        *(b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Host"),
        *(b"Transfer-Encoding", b"transfer-encoding", b"Content-Length "),
        *(b"content_length", b"content-lengtx", b"\xffontent-length", b""),
    ]
)
SAID = (
    *(b"", b"0", b"00", b"07", b"7", b"+7", b"-7", b" 7", b"7 ", b"\t7", b"7\x00"),
    *(b"7, 7", b"7,8", b"7_0", b"0x7", b"7.0", b"7e1", b"9" * 17, b"9" * 18),
    *(b"9" * 19, b"9" * 5000, "\u0667".encode(), "\u00b2".encode(), b"\xb2"),
    *(b"\n7", b"7\n", b"7\r\n", b"\xa07"),
)
LENGTHS = st.sampled_from(SAID)
CODINGS = st.sampled_from(
    [
        *(b"chunked", b"Chunked", b"gzip, chunked", b"gzip,chunked", b"identity"),
        *(b"gzip", b"deflate", b"compress", b"chunked, chunked", b"xchunked"),
        *(b"chunked ", b"\x0bchunked", "chun\u212aed".encode()),
    ]
)
ANY = st.binary(max_size=4) | st.integers(0).map(lambda number: b"%d" % number)
FIELDS = st.lists(st.tuples(NAMES, LENGTHS | CODINGS | ANY), max_size=3)
METHODS = st.sampled_from(
    [b"GET", b"PUT", b"HEAD", b"head", b"CONNECT", b"Connect", b"", b"H\xc9AD"]
)
STATUSES = st.sampled_from([100, 101, 103, 199, 200, 204, 206, 299, 304, 401, 502])
FORGED = b"Content-Length"


def told(judge: Any, request: Request, response: Response | None) -> object:
    """Return the length, or what is found wrong."""
    try:
        return judge(request, response)
    except ValueError as error:
        return str(error)


def request_of(method: bytes, fields: list[tuple[bytes, bytes]]) -> Request:
    """Make a request as it was sent, sound or not."""
    request = Request.make("GET", "https://api.box.com/")
    request.data.method = method
    request.headers = Headers(fields)
    return request


@settings(max_examples=1000)
@given(METHODS, FIELDS, st.none() | st.tuples(STATUSES, FIELDS))
@example(b"PUT", [(FORGED, b"7"), (b"transfer-encoding", b"chunked")], None)
@example(b"PUT", [(FORGED, b"7"), (b"content-length", b"7")], None)
@example(b"PUT", [(FORGED, b"+7")], None)
@example(b"HEAD", [(FORGED, b"3")], (200, [(FORGED, b"7")]))
@example(b"CONNECT", [], (200, [(FORGED, b"7")]))
@example(b"GET", [], (304, [(FORGED, b"7")]))
def test_a_body_is_as_long_as_mitmproxy_says(
    method: bytes,
    fields: list[tuple[bytes, bytes]],
    answer: tuple[int, list[tuple[bytes, bytes]]] | None,
):
    """Whatever is said of it and however often: nobody's framing is another one."""
    request = request_of(method, fields)
    response = None
    if answer is not None:
        response = Response.make(answer[0])
        response.headers = Headers(answer[1])

    theirs = told(OWN[http1, "expected_http_body_size"], request, response)
    ours = told(parts.body_size, request, response)

    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.parametrize("said", SAID, ids=lambda said: repr(said)[:20])
@pytest.mark.parametrize("name", [b"Content-Length", b"content-length"])
def test_one_length_is_what_mitmproxy_takes_it_for(name: bytes, said: bytes):
    """Signs, blanks, other digits, too many: in a request and in an answer."""
    request = request_of(b"PUT", [(name, said)])
    response = Response.make(200)
    response.headers = Headers([(name, said)])

    for answer in (None, response):
        theirs = told(OWN[http1, "expected_http_body_size"], request, answer)
        assert told(parts.body_size, request, answer) == theirs


@pytest.mark.parametrize("place", [http1, http], ids=lambda place: place.__name__)
def test_mitmproxy_goes_by_it_wherever_it_asks(place: Any):
    """Both of its names for that are ours: else two parts would judge by two."""
    parts.replace_all()

    assert place.expected_http_body_size is parts.body_size


@dataclass
class FramingTestHook(commands.StartHook):
    """A hook as scripts make them."""

    flow: object


class Bare(commands.StartHook):
    """One that was not made a dataclass."""


@dataclass
class FramingTestHookCompleted(events.CommandCompleted):
    """The answer to a command."""

    command: FramingTestHook


@pytest.mark.parametrize("again", ["first", "again"])
def test_a_sound_class_makes_what_it_made(again: str):
    """The first time, when it is judged, and later: of that class, with its values."""
    parts.replace_all()
    hook = FramingTestHook(again)
    answer = FramingTestHookCompleted(hook)

    assert type(hook) is FramingTestHook
    assert vars(hook) == {"flow": again}
    assert hook.blocking is True
    assert hook.name == "framing_test"
    assert type(answer) is FramingTestHookCompleted
    assert answer.command is hook


@pytest.mark.parametrize("kind", [commands.StartHook, Bare, events.CommandCompleted])
def test_a_wrong_class_is_refused_every_time(kind: Any):
    """As mitmproxy refuses it, and not only until another was found sound."""
    with pytest.raises((TypeError, AssertionError)) as theirs:
        kind(1)
    parts.replace_all()
    FramingTestHook(1)

    for _ in range(2):
        with pytest.raises(theirs.type) as ours:
            kind(1)
        assert str(ours.value) == str(theirs.value)
