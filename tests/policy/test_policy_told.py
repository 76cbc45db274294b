"""What may be told of a request: bounded, without query and without credential."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boxlike import REQUEST
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.told import METHOD, PATH, cut, told


def test_a_usual_request_is_told_as_it_is():
    """Nothing is made anew for it."""
    assert told(REQUEST, capability=False) is REQUEST


@pytest.mark.parametrize(
    "path",
    [
        "/2.0/users/me?access_token=hush",
        "/2.0/users/me#access_token=hush",
        "/2.0/users/me%3Faccess_token=hush",
        "/2.0/users/me%3faccess_token=hush",
        "/2.0/users/me%23access_token=hush",
        "/2.0/users/me%2525253Faccess_token=hush",
    ],
)
def test_no_query_is_told_however_it_is_written(path: str):
    """Escaped, once or more often, or as a fragment: it may hold a token."""
    assert told(replace(REQUEST, path=path), capability=False).path == "/2.0/users/me…"


def test_other_escapes_are_told():
    """Only what begins a query ends a path."""
    path = "/2.0/folders/%20%C3%A9"
    assert told(replace(REQUEST, path=path), capability=False).path == path


def test_a_path_that_is_a_credential_is_masked():
    """Only the kind of address is left."""
    path = "/d/1/hush-hush"
    assert told(replace(REQUEST, path=path), capability=True).path == "/d/1/…"


words = st.text(alphabet="ab%?#é/", max_size=6000) | st.integers(0, 9000).map(
    lambda length: "x" * length
)


@given(
    path=words,
    method=words,
    host=words,
    sni=st.none() | words,
    values=st.lists(words, max_size=12).map(tuple),
)
def test_no_request_is_told_at_any_length(
    path: str, method: str, host: str, sni: str | None, values: tuple[str, ...]
):
    """Whatever a client sends, some thousand characters are told at most."""
    view = replace(REQUEST, path=path, method=method, host=host, sni=sni)
    seen = told(
        replace(view, authorities=values, origins=values, as_user=values[:3]),
        capability=False,
    )
    assert len(seen.path) <= PATH
    assert len(seen.method) <= METHOD
    assert len(seen.host) <= 255
    others = (*seen.authorities, *seen.origins, *seen.as_user, seen.sni or "")
    assert sum(map(len, others)) <= 3 * 8 * 128 + 128


def test_what_was_cut_is_marked():
    """Nobody takes the beginning for the whole."""
    long = told(replace(REQUEST, path="/" + "x" * PATH), capability=False).path
    assert long == "/" + "x" * (PATH - 2) + "…"
    assert cut("abcd", 4) == "abcd"
    assert cut("abcde", 4) == "abc…"
