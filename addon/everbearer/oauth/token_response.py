"""The answer of a token endpoint: an access token, or one class of error."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from everbearer.errors import (
    GrantError,
    ReauthorizationRequired,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.oauth.date import parse_http_date
from everbearer.oauth.grants.contract import Rejection
from everbearer.oauth.server_text import origin_of, shown
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EXPIRES_IN: Final = 365 * 86_400.0
"""Seconds; whoever says more means "for ever", which no clock should add up."""

MAX_RETRY_AFTER: Final = 3_600.0
"""Seconds; a server's mistake must not lock everybody out for longer."""

# RFC 6749 §4.1.2.1 has these for the authorization endpoint; token endpoints
# send them too (Box with 429, box/rclone reports of 2019).
_UNAVAILABLE: Final = frozenset({"temporarily_unavailable", "server_error"})
_RETRY_STATUSES: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)
# RFC 6749 §5.2, and access_denied, which Box sends as well: shown as they are.
_CODES: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
    }
)
_HINTS: Final = {
    "invalid_scope": "correct what the application may do at the provider",
    "unauthorized_client": (
        "let the provider's administrator authorize the application"
        " for this grant and subject"
    ),
    "access_denied": (
        "let the provider's administrator authorize the application"
        " for this grant and subject"
    ),
    "unsupported_grant_type": "choose the grant that the application was made for",
}
# RFC 6749 appendix A.12 and A.17. An access token goes into a field, where a
# space would end it (RFC 6750 §2.1) and a control character begin another.
_ACCESS_TOKEN: Final = re.compile(r"[\x21-\x7E]+")
_REFRESH_TOKEN: Final = re.compile(r"[\x20-\x7E]+")
_ERROR_CODE: Final = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]+")  # RFC 6749 §5.2
_SECONDS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An answer of the token endpoint: field names lower case, the whole body."""

    status: int
    fields: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """
    A token response (RFC 6749 §5.1) that can be used.

    `expires_in` is in seconds, above 0 and at most MAX_EXPIRES_IN. The
    refresh token is None where the grant does not use one.
    """

    access_token: Secret
    expires_in: float
    refresh_token: Secret | None


def parse_token_response(
    answer: TokenAnswer,
    *,
    default_expires_in: float,
    needs_refresh_token: bool,
    now: float,
) -> TokenResponse:
    """
    Return the token response or raise one of the four GrantErrors.

    `now` (seconds since the epoch) is the clock against which a date in
    Retry-After is read where the answer has no date of its own. No message
    holds anything of the body but the error's code and description, masked.
    A TokenResponseMalformed carries the refresh token of a response that is of
    no use otherwise: where the grant uses one, the response is a JSON object of
    status 200, and the refresh token well-formed and not blank. Whether it is
    another one than was sent is for the caller to see.
    """
    if answer.status != HTTPStatus.OK:
        raise failure(answer, now)
    fields = _json_object(answer.body)
    if fields is None:
        raise TokenResponseMalformed(f"the token endpoint answers {_kind(answer)}")
    try:
        return _token_response(fields, default_expires_in, needs_refresh_token)
    except TokenResponseMalformed as malformed:
        if needs_refresh_token:
            malformed.refresh_token = _carried(fields)
        raise


def _token_response(
    fields: Mapping[str, object], default_expires_in: float, needs_refresh_token: bool
) -> TokenResponse:
    token_type = fields.get("token_type")
    if token_type is not None and not (
        isinstance(token_type, str) and token_type.lower() == "bearer"
    ):
        msg = "the token endpoint issues a token whose token_type is not bearer"
        raise TokenResponseMalformed(msg)
    access_token = _token(fields, "access_token", _ACCESS_TOKEN)
    refresh_token = None
    if needs_refresh_token:
        refresh_token = _token(fields, "refresh_token", _REFRESH_TOKEN)
    expires_in = _expires_in(fields.get("expires_in"), default_expires_in)
    return TokenResponse(access_token, expires_in, refresh_token)


def rejection(answer: TokenAnswer) -> Rejection | None:
    """
    Return what the server says against the grant, the client or the request.

    None for tokens, for answers that only say "not now", and for answers that
    are not errors of RFC 6749 §5.2. For whoever asks a grant whether it can
    correct itself, before `parse_token_response` raises.
    """
    if not _is_client_error(answer.status):
        return None
    fields = _json_object(answer.body) or {}
    error = fields.get("error")
    if not isinstance(error, str) or not _ERROR_CODE.fullmatch(error):
        return None
    if error in _UNAVAILABLE:
        return None
    description = fields.get("error_description")
    text = description if isinstance(description, str) else ""
    return Rejection(answer.status, error, text)


def failure(answer: TokenAnswer, now: float) -> GrantError:
    """Return what an answer that is not 200 means; `now` as above."""
    status = answer.status
    if status == HTTPStatus.CONFLICT:
        return TokenEndpointUnavailable(
            "the token endpoint answers 409: the grant is being redeemed elsewhere",
            retry_after=_retry_after(answer, now),
        )
    if refused := rejection(answer):
        return _rejected(refused)
    if _is_unavailable(answer):
        return TokenEndpointUnavailable(
            f"the token endpoint answers {status}",
            retry_after=_retry_after(answer, now),
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        origin = origin_of(answer.fields.get("location", "")) or "elsewhere"
        return TokenResponseMalformed(
            f"the token endpoint answers {status}, a redirect to {origin};"
            " redirects are not followed",
            hint="set token_url to the address that answers itself",
        )
    return TokenResponseMalformed(
        f"the token endpoint answers {status} with {_kind(answer)}"
    )


def _rejected(refused: Rejection) -> GrantError:
    code = refused.error if refused.error in _CODES else shown(refused.error)
    text = f"the token endpoint answers {refused.status} {code}"
    if refused.description:
        text += f": {shown(refused.description)}"
    if refused.error == "invalid_grant":
        return ReauthorizationRequired(text)
    return TokenRequestRejected(text, hint=_HINTS.get(refused.error))


def _is_client_error(status: int) -> bool:
    """Tell whether it is a 4xx that says more than "not now"."""
    return (
        HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status != HTTPStatus.CONFLICT
        and status not in _RETRY_STATUSES
    )


def _is_unavailable(answer: TokenAnswer) -> bool:
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    if answer.status in _RETRY_STATUSES:
        return True
    error = (_json_object(answer.body) or {}).get("error")
    return isinstance(error, str) and error in _UNAVAILABLE


def _retry_after(answer: TokenAnswer, now: float) -> float | None:
    """Return Retry-After (RFC 9110 §10.2.3) in seconds from now."""
    text = answer.fields.get("retry-after", "").strip(" \t")
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    instant = parse_http_date(text, now=now)
    if instant is None:
        return None
    # The server's own clock, where it shows it: ours may be an hour off.
    sent = parse_http_date(answer.fields.get("date", ""), now=now)
    wait = instant - (now if sent is None else sent)
    return min(max(wait, 0.0), MAX_RETRY_AFTER)


def _token(fields: Mapping[str, object], name: str, form: re.Pattern[str]) -> Secret:
    value = fields.get(name)
    if value is None or value == "":
        raise TokenResponseMalformed(f"the token response holds no {name}")
    if not isinstance(value, str) or not form.fullmatch(value):
        raise TokenResponseMalformed(
            f"the token response holds a {name} that is not visible ASCII text"
        )
    return Secret(value)


def _carried(fields: Mapping[str, object]) -> Secret | None:
    """Return the refresh token of a malformed response, None without a proper one."""
    value = fields.get("refresh_token")
    if not isinstance(value, str) or not _REFRESH_TOKEN.fullmatch(value):
        return None
    return Secret(value) if value.strip() else None


def _expires_in(value: object, default: float) -> float:
    if value is None:
        seconds = default
    elif isinstance(value, str) and _SECONDS.fullmatch(value):
        seconds = float(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = float(max(0, min(value, int(MAX_EXPIRES_IN))))
    elif isinstance(value, float) and math.isfinite(value):
        seconds = value
    else:
        msg = "the token response holds an expires_in that is not a number of seconds"
        raise TokenResponseMalformed(msg)
    if seconds <= 0:
        msg = "the token response holds an expires_in that is not above 0"
        raise TokenResponseMalformed(msg)
    return min(seconds, MAX_EXPIRES_IN)


def _json_object(body: bytes) -> dict[str, object] | None:
    """
    Return the JSON object, None for anything else.

    The decoder's error holds the body, so it must not become the context of
    another one: hence a value instead of an exception.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _kind(answer: TokenAnswer) -> str:
    if not answer.body:
        return "an empty body"
    if "html" in answer.fields.get("content-type", "").lower():
        return "a web page instead of JSON"
    return "something else than the JSON of RFC 6749"
