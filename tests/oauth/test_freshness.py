"""How near its end an access token is, at every edge."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.freshness import (
    Freshness,
    expired_at,
    freshness,
    stale_at,
)
from everbearer.oauth.tokens import AccessToken
from everbearer.secret import Secret


def token(issued_at: float = 1000.0, expires_at: float = 4600.0) -> AccessToken:
    """Make a token with a life of an hour, unless told otherwise."""
    return AccessToken(Secret("t0ken"), issued_at, expires_at)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1000.0, Freshness.FRESH),
        (4299.9, Freshness.FRESH),
        (4300.0, Freshness.STALE),
        (4589.9, Freshness.STALE),
        (4590.0, Freshness.EXPIRED),
        (4600.0, Freshness.EXPIRED),
        (math.inf, Freshness.EXPIRED),
    ],
)
def test_an_hour_is_stale_for_five_minutes_and_expired_for_ten_seconds(now, expected):
    """A long life ends by the seconds: 300 before its end STALE, 10 EXPIRED."""
    assert freshness(token(), now) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1002.39, Freshness.FRESH),
        (1002.41, Freshness.STALE),
        (1002.84, Freshness.STALE),
        (1002.86, Freshness.EXPIRED),
    ],
)
def test_a_short_life_is_cut_by_its_shares(now, expected):
    """Of three seconds the last 20 % are STALE and the last 5 % EXPIRED."""
    assert freshness(token(expires_at=1003.0), now) is expected


def test_a_token_without_an_end_is_always_fresh():
    """A token of which nobody told an end is FRESH, whatever the clock does."""
    endless = token(expires_at=math.inf)
    assert [freshness(endless, now) for now in (0.0, 1000.0, 1e12)] == [
        Freshness.FRESH
    ] * 3
    assert math.inf == stale_at(endless) == expired_at(endless)


def test_a_token_from_the_future_is_stale():
    """A token issued after now is renewed in the background, yet still served."""
    assert freshness(token(), 999.9) is Freshness.STALE


def test_a_life_that_ended_before_it_began_is_expired():
    """A token whose end lies before its issue is EXPIRED from that end on."""
    assert freshness(token(expires_at=900.0), 900.0) is Freshness.EXPIRED
    assert freshness(token(expires_at=900.0), 899.0) is Freshness.STALE


def test_the_true_end_is_later_than_expired():
    """The server accepts the token until its true end, ten seconds later."""
    assert (stale_at(token()), expired_at(token()), token().expires_at) == (
        4300.0,
        4590.0,
        4600.0,
    )


@given(
    st.floats(0, 1e9),
    st.floats(0, 1e9) | st.just(math.inf),
    st.floats(0, 2e9),
    st.floats(0, 2e9),
)
def test_a_token_only_ever_gets_older(issued_at, life, early, late):
    """From its issue on, freshness never improves with time."""
    order = list(Freshness)
    aged = token(issued_at, issued_at + life)
    first, second = sorted((max(early, issued_at), max(late, issued_at)))
    assert order.index(freshness(aged, first)) <= order.index(freshness(aged, second))
    assert stale_at(aged) <= expired_at(aged) <= aged.expires_at
