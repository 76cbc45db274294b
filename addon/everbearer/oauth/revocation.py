"""Taking a token back (RFC 7009)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from everbearer.oauth.token_response import failure, rejection

if TYPE_CHECKING:
    from everbearer.oauth.grants.contract import Form, Grant
    from everbearer.oauth.token_response import TokenAnswer
    from everbearer.secret import Secret


def revocation_request(grant: Grant, token: Secret) -> Form:
    """
    Build the request (RFC 7009 §2.1) that takes back *token* and what hangs on it.

    The client's credentials are in the body, as in every request to Box; at Box
    either token of a pair takes both away (box-node-sdk).
    """
    return (
        ("client_id", grant.client_id),
        ("client_secret", grant.client_secret),
        ("token", token),
    )


def revoked(answer: TokenAnswer, now: float) -> bool:
    """
    Tell whether the token was good until now; either way it is not any more.

    Raises one of the GrantErrors where the answer leaves that open. `now` is as
    in `parse_token_response`.
    """
    if answer.status == HTTPStatus.OK:
        return True
    refused = rejection(answer)
    # Box's word for a token that is gone (boxcli, src/commands/logout.js); RFC
    # 7009 §2.2 has 200 for that as well.
    if refused is not None and refused.error == "invalid_token":
        return False
    raise failure(answer, now)
