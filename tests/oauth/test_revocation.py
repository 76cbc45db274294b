"""Taking a token back, and what the answer means."""

from __future__ import annotations

import pytest

from everbearer.errors import (
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.oauth.grants.refresh_token import RefreshToken
from everbearer.oauth.revocation import revocation_request, revoked
from everbearer.oauth.token_response import TokenAnswer
from everbearer.secret import Secret


def test_the_request_shows_the_client_and_the_token():
    """RFC 7009 §2.1, the client's credentials in the body."""
    grant = RefreshToken("client", Secret("hush"), None)

    assert dict(revocation_request(grant, Secret("t"))) == {
        "client_id": "client",
        "client_secret": Secret("hush"),
        "token": Secret("t"),
    }


@pytest.mark.parametrize(
    ("status", "body", "was_good"),
    [
        (200, b"", True),
        (400, b'{"error": "invalid_token"}', False),
        (401, b'{"error":"invalid_token","error_description":"gone"}', False),
    ],
)
def test_either_way_the_token_is_gone(status: int, body: bytes, was_good: bool):
    """200, or the server's word that it was gone before."""
    assert revoked(TokenAnswer(status, {}, body), 0.0) is was_good


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_client"}', TokenRequestRejected),
        (503, b"", TokenEndpointUnavailable),
        (429, b"", TokenEndpointUnavailable),
        (302, b"", TokenResponseMalformed),
        (404, b"<html>", TokenResponseMalformed),
    ],
)
def test_any_other_answer_leaves_it_open(status: int, body: bytes, error: type):
    """Nobody shall believe a token gone that may be good."""
    with pytest.raises(error):
        revoked(TokenAnswer(status, {}, body), 0.0)
