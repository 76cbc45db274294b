"""Text that a server chose, before people see it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.server_text import origin_of, shown


def test_ordinary_sentences_stay_as_they_are():
    """What Box really says is shown word for word."""
    text = "Current date/time MUST be before the time listed in the 'exp' claim"
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token abcdefghij0123456789 is bad", "token [masked] is bad"),
        ('"abcdefghij0123456789"', "[masked]"),
        ("abcdefghij\u200b0123456789", "[masked]"),
        ("abcdefghij\n0123456789", "[masked]"),
        ("a\x1b[31mb\u202e\udc80c", "a?[31mb??c"),
        ("no! " * 100, "no! " * 50 + "..."),
    ],
)
def test_what_could_be_a_secret_or_a_trick_is_not_shown(text, expected):
    """Long runs are masked, odd characters replaced first, long texts cut."""
    assert shown(text) == expected


@given(st.text())
def test_shown_text_is_one_short_printable_line(text):
    """No text gets longer than 203 characters or leaves printable ASCII."""
    line = shown(text)
    assert len(line) <= 203
    assert all(" " <= character <= "~" for character in line)
    assert all(len(run) < 20 or "[masked]" in run for run in line.split(" "))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Sso.Example.com/login?code=s3cret#s3cret", "https://sso.example.com"),
        ("http://user:s3cret@host:8080/", "http://host:8080"),
        ("/oauth2/token?code=s3cret", ""),
        ("//host/path", ""),
        ("ftp://host/", ""),
        ("https://[::1", ""),
        ("https://host:port/", ""),
        ("https://a<b/", ""),
        ("", ""),
    ],
)
def test_only_the_origin_of_an_address_is_kept(url, expected):
    """Path, query and user never come along; what is no origin is nothing."""
    assert origin_of(url) == expected
