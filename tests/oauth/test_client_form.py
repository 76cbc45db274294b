"""What a client's form redeems."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.client_form import Redeem, is_form, redeem_in
from everbearer.secret import Secret


@pytest.mark.parametrize(
    ("body", "refresh_token", "client_id"),
    [
        (b"grant_type=refresh_token&refresh_token=abc", "abc", ""),
        (b"client_id=i&refresh_token=a%2Bb&grant_type=refresh_token", "a+b", "i"),
        (b"refresh_token=a+b&grant_type=refresh%5Ftoken&x=&client_id=", "a b", ""),
    ],
)
def test_a_redeem_is_read(body: bytes, refresh_token: str, client_id: str):
    """The fields in any order and spelling (RFC 6749 appendix B)."""
    assert redeem_in(body) == Redeem(Secret(refresh_token), client_id)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"grant_type=client_credentials&refresh_token=abc",
        b"grant_type=refresh_token",
        b"grant_type=refresh_token&refresh_token=",
        b"grant_type=refresh_token&refresh_token=a&refresh_token=b",
        b"grant_type=refresh_token&grant_type=refresh_token&refresh_token=a",
        b'{"grant_type": "refresh_token", "refresh_token": "abc"}',
        b"grant_type=refresh_token&refresh_token=%ff",
        "grant_type=refresh_token&refresh_token=\xe4".encode(),
        b"grant_type=refresh_token&refresh_token=a" + b"&a=b" * 100,
    ],
)
def test_what_redeems_nothing_is_none(body: bytes):
    """Other grants, no token, a parameter twice, no form: nothing is redeemed."""
    assert redeem_in(body) is None


@given(st.text(st.characters(min_codepoint=1, codec="utf-8"), min_size=1))
def test_any_refresh_token_is_read_as_it_was_written(refresh_token: str):
    """What urlencode writes is what is read."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    found = redeem_in(urlencode(form).encode())
    assert found is not None
    assert found.refresh_token == Secret(refresh_token)


@given(st.binary())
def test_reading_never_raises(body: bytes):
    """Whatever the body is: a redeem, or None."""
    redeem_in(b"grant_type=refresh_token&refresh_token=" + body)
    redeem_in(body)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", True),
        ("application/json", False),
        ("multipart/form-data; boundary=x", False),
        ("", False),
    ],
)
def test_a_form_is_known_by_its_type(content_type: str, form: bool):
    """Letters of any case, parameters or none."""
    assert is_form(content_type) is form
