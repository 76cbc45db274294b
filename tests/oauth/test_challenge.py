"""Challenges as servers send them, and as they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.challenge import Challenge, bearer_error, parse

BOX_EXPIRED = (
    'Bearer realm="Service", error="invalid_token",'
    ' error_description="The access token provided is invalid."'
)


def test_the_challenge_of_box_is_read():
    """Box's own 401 yields its realm, error and description."""
    assert parse([BOX_EXPIRED]) == (
        Challenge(
            "bearer",
            params={
                "realm": "Service",
                "error": "invalid_token",
                "error_description": "The access token provided is invalid.",
            },
        ),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        ([""], ()),
        ([" , ,\t,"], ()),
        (["Bearer"], (Challenge("bearer"),)),
        (["BEARER  "], (Challenge("bearer"),)),
        (["Negotiate YWJj=="], (Challenge("negotiate", "YWJj=="),)),
        (["Negotiate a="], (Challenge("negotiate", "a="),)),
        (
            # after the example of RFC 9110 §11.6.1
            [r'Basic realm="simple", Newauth realm="apps", type=1, title="Log \"in\""'],
            (
                Challenge("basic", params={"realm": "simple"}),
                Challenge(
                    "newauth",
                    params={"realm": "apps", "type": "1", "title": 'Log "in"'},
                ),
            ),
        ),
        (
            ['Basic realm="a, Bearer error=\\"x\\", b"', "Bearer"],
            (
                Challenge("basic", params={"realm": 'a, Bearer error="x", b'}),
                Challenge("bearer"),
            ),
        ),
        # The list goes on in the next field line (RFC 9110 §5.3).
        (["Bearer a=1", "b=2"], (Challenge("bearer", params={"a": "1", "b": "2"}),)),
        ([", ,Bearer a=1, ,b=2,"], (Challenge("bearer", params={"a": "1", "b": "2"}),)),
        (
            ['Bearer a \t=\t "1" , b = 2'],
            (Challenge("bearer", params={"a": "1", "b": "2"}),),
        ),
        (
            ["Negotiate, Bearer a=1"],
            (Challenge("negotiate"), Challenge("bearer", params={"a": "1"})),
        ),
        (['Bearer a=""'], (Challenge("bearer", params={"a": ""}),)),
        (["Bearer A=1, a=2, a=3"], (Challenge("bearer", params={"a": "1"}),)),
    ],
)
def test_the_grammar_is_read(values, expected):
    """Every form of RFC 9110 §11.6.1 is read: lists, quotes, token68, BWS."""
    assert parse(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a=1, Bearer b=2"], (Challenge("bearer", params={"b": "2"}),)),
        (["Bearer a=1 b=2, c=3"], (Challenge("bearer", params={"c": "3"}),)),
        (['Bearer "junk, a=1", b=2'], (Challenge("bearer", params={"b": "2"}),)),
        (['Bearer a="open, b=2'], (Challenge("bearer"),)),
        (['Bearer a="open\\', "b=2"], (Challenge("bearer", params={"b": "2"}),)),
        (["=, ==, ,=a, Bearer"], (Challenge("bearer"),)),
        (["Bearer é=1, b=é, c=3"], (Challenge("bearer", params={"c": "3"}),)),
        (["Bearer\ta=1"], ()),
    ],
)
def test_junk_is_skipped_up_to_the_next_comma(values, expected):
    """What cannot be read is left out, and what follows it is still read."""
    assert parse(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([BOX_EXPIRED], "invalid_token"),
        (['bearer error="insufficient_scope"'], "insufficient_scope"),
        (['Bearer realm="Service"'], None),
        (['Digest error="invalid_token"'], None),
        (["Basic", 'Bearer realm="a"', "Bearer error=invalid_token"], "invalid_token"),
        (['Basic realm="Bearer error=\\"invalid_token\\""'], None),
        ([], None),
    ],
)
def test_only_a_bearer_challenge_has_a_bearer_error(values, expected):
    """The error is that of a Bearer challenge and of no other."""
    assert bearer_error(values) == expected


TOKENS = st.text(st.sampled_from("!#$%&'*+-.^_`|~09AZaz"), min_size=1, max_size=8)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12)
TOKEN68S = st.from_regex(r"[A-Za-z0-9._~+/-]{1,9}={0,2}", fullmatch=True)
CHALLENGES = st.builds(
    Challenge, TOKENS, params=st.dictionaries(TOKENS, TEXTS, max_size=4)
) | st.builds(
    Challenge,
    TOKENS,
    token68=st.from_regex(r"[A-Za-z0-9._~+/-]{1,9}={0,2}", fullmatch=True),
)


def written(challenge: Challenge) -> str:
    """Write a challenge, quoting every value."""
    params = ", ".join(
        f'{name}="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for name, value in challenge.params.items()
    )
    return f"{challenge.scheme} {challenge.token68}{params}".strip()


@given(st.lists(CHALLENGES, max_size=4), st.booleans())
def test_what_was_written_is_read_back(challenges, joined):
    """Challenges survive writing and parsing, in one field or in several."""
    texts = [written(challenge) for challenge in challenges]
    assert parse([", ".join(texts)] if joined else texts) == tuple(challenges)


@given(st.lists(st.text() | st.text(st.sampled_from('aB =,"\\\t;/é')), max_size=4))
def test_no_field_raises(values):
    """Whatever a server sends, parsing ends and yields challenges."""
    for challenge in parse(values):
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert set(challenge.params) == {name.lower() for name in challenge.params}


@pytest.mark.parametrize(
    "unit",
    ['a="', '"', '\\"', 'a="\\"', "a ", " ", "a==", "a \t", "=,", "a=b c", '"" '],
)
def test_the_work_is_linear(unit):
    """Half a megabyte of junk is read at once; anything quadratic would not end."""
    assert bearer_error([f"x {unit * (500_000 // len(unit))}", "Bearer error=e"]) == "e"
