"""Token requests and answers are read in words, without what could be used."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.reading import (
    is_error_answer,
    is_token_answer,
    is_token_form,
    read_answer,
    read_form,
)
from everbearer.secret import fingerprint, redaction_mark

SECRET = "T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl"
MARK = redaction_mark(fingerprint(SECRET))
AT = 1000.0


def local(instant: float) -> str:
    """Return an instant as nothing else is written."""
    return f"<{instant:.0f}>"


def form(**fields: str) -> str:
    """Read a form with these fields."""
    return read_form(urlencode(fields), AT, local, masked=False)


def answer(members: object, *, masked: bool = False) -> str:
    """Read an answer with these members."""
    return read_answer(json.dumps(members).encode(), AT, local, masked=masked)


def part(members: object) -> str:
    """Return a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def test_a_form_is_decoded_and_its_secrets_are_marks():
    """What is known to be none stays; all else is masked, known or not."""
    read = form(grant_type="refresh_token", client_secret=SECRET, odd="x y")

    assert read.splitlines() == [
        "grant_type: refresh_token",
        f"client_secret: {MARK}",
        f"odd: {redaction_mark(fingerprint('x y'))}",
    ]


def test_a_mark_stays_the_mark_that_it_is():
    """What everbearer has masked can be compared with its other marks."""
    assert form(client_secret=MARK) == f"client_secret: {MARK}"
    assert MARK in answer({"access_token": MARK})


def test_what_is_masked_already_is_not_masked_again():
    """Of our own questions every field is worth reading."""
    assert read_form("odd=x", AT, local, masked=True) == "odd: x"
    assert answer({"restricted_to": "[]"}, masked=True) == "restricted_to: []"


def test_an_assertion_is_taken_apart():
    """Its claims are read, times in words; its signature is a mark."""
    claims = {"sub": "7", "exp": 1030, "iat": 940, "nbf": "odd", "jti": "a\nb"}
    jwt = f"{part({'alg': 'RS256'})}.{part(claims)}.{SECRET}"

    assert form(assertion=jwt).splitlines() == [
        "assertion:",
        "  header:",
        "    alg: RS256",
        "  claims:",
        "    sub: 7",
        "    exp: 1030 (<1030>, 30 s after the request)",
        "    iat: 940 (<940>, 1 min before the request)",
        "    nbf: odd",
        '    jti: "a\\nb"',
        f"  signature: {MARK}",
    ]


def test_an_assertion_that_is_none_is_a_secret():
    """Parts that cannot be read are masked, as is what has no three."""
    read = form(client_assertion=f"{SECRET}.{part([1])}.{SECRET}", assertion=SECRET)

    assert SECRET not in read
    assert read.splitlines()[:2] == ["client_assertion:", f"  header: {MARK}"]
    assert read.splitlines()[-1] == f"assertion: {MARK}"


def test_an_answer_tells_how_long_its_token_lives():
    """In words, and until when by the reader's clock; tokens are marks."""
    read = answer(
        {
            "access_token": SECRET,
            "expires_in": 3600,
            "refresh_token_expires_in": True,
            "token_type": "bearer",
            "error_description": f"no {SECRET}",
        }
    )

    assert read.splitlines() == [
        f"access_token: {MARK}",
        "expires_in: 3600 (60 min, until <4600>)",
        "refresh_token_expires_in: true",
        "token_type: bearer",
        "error_description: no [masked]",
    ]


@pytest.mark.parametrize("odd", ["soon", 1e300, float("nan"), None, [], 10**400])
def test_a_life_that_makes_no_sense_is_told_as_it_is(odd):
    """No date is computed from it."""
    assert "until" not in answer({"expires_in": odd}, masked=True)


def test_some_write_numbers_as_text():
    """A life in quotes is one all the same."""
    assert "60 min" in answer({"expires_in": "3600"}, masked=True)


def test_what_is_no_object_is_not_read():
    """Pages, lists and abysses are for other views."""
    for body, why in ((b"<", "Expecting"), (b"[]", "no JSON"), (b"[" * 10**5, "deep")):
        with pytest.raises(ValueError, match=why):
            read_answer(body, AT, local, masked=False)
        assert not is_token_answer(body)
        assert not is_error_answer(body)


def test_they_are_known_by_what_the_standard_demands():
    """A form has a grant_type, an answer a token or an error (RFC 6749 §4 and 5)."""
    assert is_token_form("a=b&grant_type=x")
    assert not is_token_form("a=b")
    assert is_token_answer(b'{"access_token": 1}')
    assert not is_token_answer(b'{"error": "x"}')
    assert is_error_answer(b'{"error": "x"}')
    assert not is_error_answer(b'{"error": {}}')


@given(st.text())
def test_any_form_is_read(body):
    """Nothing that a client may send fails."""
    assert isinstance(read_form(body, AT, local, masked=False), str)


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=20, alphabet="abc")))
def test_no_long_text_of_an_unread_answer_stays(members):
    """Whatever a member is called, a text in it that may be a secret is masked."""
    read = answer(members)

    assert not any(value in read for value in members.values() if len(value) >= 20)
