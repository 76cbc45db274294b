"""The way to consent and back, and what on that way is not believed."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.authorization import Code, Denied, Login, Stray
from everbearer.secret import Secret

STATE, VERIFIER = "s" * 43, "v" * 64
CALLBACK = "http://127.0.0.1:4711/callback"


def login(authorize_url: str = "https://account.box.com/api/oauth2/authorize") -> Login:
    """Return a login with known randomness."""
    return Login("client", authorize_url, CALLBACK, Secret(STATE), Secret(VERIFIER))


def test_the_address_asks_for_a_code_bound_to_this_login():
    """RFC 6749 §4.1.1 with the state, RFC 7636 §4.3 with S256 of the verifier."""
    parts = urlsplit(login().url())
    digest = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode()

    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://account.box.com/api/oauth2/authorize"
    )
    assert parse_qs(parts.query) == {
        "response_type": ["code"],
        "client_id": ["client"],
        "redirect_uri": [CALLBACK],
        "state": [STATE],
        "code_challenge": [digest.rstrip("=")],
        "code_challenge_method": ["S256"],
    }


def test_what_the_endpoint_has_in_its_query_stays():
    """RFC 6749 §3.1: the endpoint's own query is retained."""
    url = login("https://login.example.com/authorize?tenant=a%20b").url()

    assert url.startswith("https://login.example.com/authorize?tenant=a%20b&response_")


def test_the_exchange_shows_code_verifier_and_address():
    """RFC 6749 §4.1.3 and RFC 7636 §4.5, the client's credentials in the body."""
    form = dict(login().token_request(Code(Secret("c0de")), Secret("hush")))

    assert form == {
        "grant_type": "authorization_code",
        "client_id": "client",
        "client_secret": Secret("hush"),
        "code": Secret("c0de"),
        "redirect_uri": CALLBACK,
        "code_verifier": Secret(VERIFIER),
    }


@pytest.mark.parametrize(
    "url",
    [
        f"{CALLBACK}?code=c0de&state={STATE}",
        f"?state={STATE}&code=c0de&scope=",
        f"code=c0de&state={STATE}",
        f"  {CALLBACK}?code=c0de&state={STATE}#fragment\n",
    ],
)
def test_the_code_is_read_from_the_address(url: str):
    """The whole address, pasted with space around it, or its query alone."""
    assert login().returned(url) == Code(Secret("c0de"))


def test_a_refusal_is_read_with_its_reason():
    """RFC 6749 §4.1.2.1; what the server says is made fit to be shown."""
    query = urlencode(
        {"error": "access_denied", "error_description": "No\x1b[31m!", "state": STATE}
    )

    assert login().returned(f"?{query}") == Denied("access_denied", "No?[31m!")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"?code=c0de&state={STATE}x", "its state is not the one of this login"),
        ("?code=c0de", "its state is not the one of this login"),
        ("?code=c0de&state=", "its state is not the one of this login"),
        ("?error=access_denied", "its state is not the one of this login"),
        (f"?state={STATE}", "it holds no code and no error"),
        ("", "it holds no code and no error"),
        (CALLBACK, "it holds no code and no error"),
        (f"?code=&state={STATE}", "its code is empty"),
        (f"?code=a&code=b&state={STATE}", "a parameter stands in it twice"),
        (f"?code=a&state={STATE}&state=x", "a parameter stands in it twice"),
        ("http://[?code=a", "it is no address"),
        ("?" + "a=b&" * 200, "it is no address"),
    ],
)
def test_what_is_not_the_answer_is_stray(url: str, why: str):
    """Without this login's state nothing is believed, a refusal as little as a code."""
    assert login().returned(url) == Stray(why)


@given(st.text())
def test_reading_never_raises_and_believes_nobody(url: str):
    """Whoever reaches the redirect URI writes it, and does not know the state."""
    assert isinstance(login().returned(url), Stray)


def test_no_secret_is_shown():
    """Neither state nor verifier nor code is in a repr."""
    shown = repr((login(), Code(Secret("c0de"))))

    assert not any(secret in shown for secret in (STATE, VERIFIER, "c0de"))
