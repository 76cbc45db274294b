"""What bearer does to a request and makes of its answer."""

from __future__ import annotations

import pytest

from everbearer.oauth.tokens import AccessToken
from everbearer.policy.view import RequestView
from everbearer.schemes import SCHEMES
from everbearer.schemes.contract import (
    Accept,
    Answer,
    Changes,
    Credential,
    GiveBack,
    Need,
    Renew,
)
from everbearer.secret import Secret

BEARER = SCHEMES["bearer"]
TOKEN = AccessToken(Secret("t0ken"), 0.0, 3600.0)
VIEW = RequestView(
    scheme="https",
    host="api.box.com",
    port=443,
    verified_name="api.box.com",
    method="GET",
    path="/2.0/users/me",
)
EXPIRED = (
    'Bearer realm="Service", error="invalid_token",'
    ' error_description="The access token provided is invalid."'
)
TOO_LITTLE = (
    'Bearer realm="Service", error="insufficient_scope",'
    ' error_description="The request requires higher privileges than provided'
    ' by the access token."'
)


def prepared(as_user: str = "") -> Changes:
    """Prepare a request with the token."""
    return BEARER.prepare(VIEW, Credential("dev", TOKEN, as_user), None, None, 0.0, "n")


def test_the_scheme_owns_the_field_and_the_query_part():
    """What it owns is removed from the client's request; As-User is not its own."""
    assert BEARER.needs == Need.HEAD
    assert BEARER.fields == {"authorization"}
    assert BEARER.query == {"access_token"}


def test_the_token_goes_into_authorization():
    """One field, and its value stays wrapped."""
    assert prepared() == Changes((("authorization", Secret("Bearer t0ken")),))
    assert "t0ken" not in repr(prepared())


def test_as_user_goes_with_it():
    """A credential that acts as another user says so beside the token."""
    assert prepared("42").fields[1:] == (("as-user", "42"),)


@pytest.mark.parametrize(
    ("status", "challenges", "expected"),
    [
        (401, (EXPIRED,), Renew("invalid_token")),
        (401, ('Bearer realm="Service"',), Renew("unauthorized")),
        (401, (), Renew("unauthorized")),
        (401, ("\x00 junk",), Renew("unauthorized")),
        (401, ('Bearer error="\x1b[31m"',), Renew("unauthorized")),
        (401, ("Basic", EXPIRED), Renew("invalid_token")),
        (401, (TOO_LITTLE,), GiveBack("insufficient_scope")),
        (403, (TOO_LITTLE,), GiveBack("insufficient_scope")),
        (403, (EXPIRED,), Accept()),
        (403, (), Accept()),
        (200, (EXPIRED,), Accept()),
        (302, (), Accept()),
        (400, (EXPIRED,), Accept()),
        (404, (TOO_LITTLE,), Accept()),
        (407, (EXPIRED,), Accept()),
        (429, (), Accept()),
        (503, (), Accept()),
    ],
)
def test_only_a_401_renews(status, challenges, expected):
    """401 renews, unless the scope is what is missing; nothing else does."""
    fields = {"www-authenticate": challenges} if challenges else {}
    assert BEARER.answered(VIEW, Answer(status, fields), prepared()) == expected
