"""A malformed token response carries its refresh token, if it is a proper one."""

from __future__ import annotations

import json
import traceback

import pytest

from everbearer.errors import GrantError, TokenResponseMalformed
from everbearer.oauth.token_response import TokenAnswer, parse_token_response
from everbearer.secret import Secret

NEXT = "refresh0" * 8
GOOD = {"access_token": "a", "refresh_token": NEXT, "expires_in": 3600}


def failure(body: object, status: int = 200, *, needed: bool = True) -> GrantError:
    """Return the error that an answer raises."""
    answer = TokenAnswer(status, {}, json.dumps(body).encode())
    with pytest.raises(GrantError) as caught:
        parse_token_response(
            answer, default_expires_in=3600.0, needs_refresh_token=needed, now=0.0
        )
    return caught.value


FLAWS = [
    {"expires_in": 0},
    {"expires_in": -1},
    {"expires_in": "1h"},
    {"expires_in": [3600]},
    {"token_type": "mac"},
    {"token_type": 7},
    {"access_token": ""},
    {"access_token": None},
    {"access_token": "a b"},
    {"access_token": {"value": "a"}},
]


@pytest.mark.parametrize("flaw", FLAWS, ids=json.dumps)
def test_the_refresh_token_is_carried(flaw):
    """Whatever else is wrong with the response; and it shows nowhere."""
    error = failure(GOOD | flaw)
    assert type(error) is TokenResponseMalformed
    assert error.refresh_token == Secret(NEXT)
    shown = "".join(traceback.format_exception(error))
    shown += repr(error) + repr(vars(error)) + error.hint
    assert NEXT not in shown


@pytest.mark.parametrize("flaw", FLAWS, ids=json.dumps)
def test_a_grant_without_one_carries_none(flaw):
    """Nobody would redeem it."""
    assert failure(GOOD | flaw, needed=False).refresh_token is None


@pytest.mark.parametrize(
    "value", [None, "", " ", "a\nb", "\x00", "\u00e4", 7, True, ["a"], {"a": "b"}]
)
def test_what_is_none_is_not_carried(value):
    """Absent, empty, blank, of other characters, no text."""
    error = failure(GOOD | {"refresh_token": value, "expires_in": 0})
    assert type(error) is TokenResponseMalformed
    assert error.refresh_token is None


@pytest.mark.parametrize("status", [201, 302, 404, 418])
def test_another_status_carries_none(status):
    """Only 200 says that the redeem was done (RFC 6749 §5.1)."""
    assert getattr(failure(GOOD, status), "refresh_token", None) is None


@pytest.mark.parametrize("body", [[GOOD], "text", None])
def test_what_is_no_object_carries_none(body):
    """There is nothing to read it from."""
    assert failure(body).refresh_token is None
