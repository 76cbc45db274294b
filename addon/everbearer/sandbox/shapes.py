"""Answers in Box's exact shapes; box-facts sections 1 and 3 name their sources."""

import json
import secrets
from collections.abc import Mapping

from everbearer.sandbox.message import Answer, Fields

HELP_URL = "http://developers.box.com/docs/#errors"
REJECTED_BEARER = (
    'Bearer realm="Service", error="invalid_token", '
    'error_description="The access token provided is invalid."'
)
INSUFFICIENT_SCOPE = (
    'Bearer realm="Service", error="insufficient_scope", '
    'error_description="The request requires higher privileges '
    'than provided by the access token."'
)
_JSON = ("Content-Type", "application/json")
JSON_FIELDS: Fields = (_JSON,)
# Seen with token responses in box-node-sdk#138 and box-python-sdk#730.
_COOKIES: Fields = tuple(
    ("Set-Cookie", f"{cookie}; path=/; domain=.box.com; secure")
    for cookie in (
        "box_visitor_id=5f8a0c0d2b7e41.00000000",
        "bv=OPS-00000",
        "cn=42",
        "site_preference=desktop",
    )
)
_MESSAGES = {
    400: ("bad_request", "Bad Request"),
    401: ("unauthorized", "Unauthorized - Cannot authorize with this service"),
    403: (
        "access_denied_insufficient_permissions",
        "Access denied - insufficient permission",
    ),
    404: ("not_found", "Not Found"),
    405: ("method_not_allowed", "Method Not Allowed"),
    409: ("conflict", "A resource with this value already exists"),
    412: ("precondition_failed", "The resource has been modified. Please retrieve it."),
    413: ("request_entity_too_large", "Request Entity Too Large"),
    429: (
        "rate_limit_exceeded",
        "Request rate limit exceeded, please try again later",
    ),
    500: ("internal_server_error", "Internal Server Error"),
    501: ("not_implemented", "the sandbox has no such call; its control API lists all"),
    503: ("unavailable", "Unavailable"),
}


def php_json(value: object) -> bytes:
    r"""Return *value* as PHP encodes it: no spaces, `/` as `\/`."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def ok(value: object, status: int = 200, fields: Fields = ()) -> Answer:
    """Return an API success."""
    return Answer(status, php_json(value), (_JSON, *fields))


def client_error(
    status: int,
    code: str | None = None,
    message: str | None = None,
    context: Mapping[str, object] | None = None,
    fields: Fields = (),
) -> Answer:
    """Return OAS's ClientError; code and message default to the status's usual ones."""
    usual_code, usual_message = _MESSAGES.get(status, ("error", "Error"))
    request_id = secrets.token_hex(8)
    body: dict[str, object] = {
        "type": "error",
        "status": status,
        "code": code or usual_code,
    }
    if context is not None:
        body["context_info"] = dict(context)
    body |= {
        "help_url": HELP_URL,
        "message": message or usual_message,
        "request_id": request_id,
    }
    return Answer(status, php_json(body), (_JSON, *fields), request_id=request_id)


def invalid_token() -> Answer:
    """Return the 401 for a dead token: no body, no Content-Type, chunked."""
    return Answer(
        401,
        fields=(
            ("WWW-Authenticate", REJECTED_BEARER),
            ("Strict-Transport-Security", "max-age=31536000"),
            ("Vary", "Accept-Encoding"),
            ("Age", "0"),
        ),
        chunked=True,
    )


def no_token() -> Answer:
    """Return the 401 for a request without a token (RFC 6750 §3.1: no error code)."""
    return Answer(
        401, fields=(("WWW-Authenticate", 'Bearer realm="Service"'),), chunked=True
    )


def unusable_token() -> Answer:
    """Return the 401 for a token that is good, but not here (box-python-sdk#618)."""
    return client_error(401, fields=(("WWW-Authenticate", 'Bearer realm="Service"'),))


def insufficient_scope() -> Answer:
    """Return the 403 that no renewal heals: a body of 0 bytes."""
    return Answer(403, fields=(("WWW-Authenticate", INSUFFICIENT_SCOPE),))


def token_answer(value: object) -> Answer:
    """Return a token response, with the cookies that come with it."""
    return Answer(200, php_json(value), (_JSON, *_NO_STORE, *_COOKIES))


def oauth_error(error: str, description: str, status: int = 400) -> Answer:
    """Return OAS's OAuth2Error, which is not the API's error shape."""
    body = {"error": error, "error_description": description}
    return Answer(status, php_json(body), (_JSON, *_NO_STORE, *_COOKIES))


def token_conflict() -> Answer:
    """Return the token endpoint's 409: no body (support.box.com 360052599233)."""
    return Answer(409, fields=_NO_STORE)


def token_overload() -> Answer:
    """Return the token endpoint's 429 (rclone#3443)."""
    return oauth_error(
        "temporarily_unavailable",
        "The server is currently unable to handle the request "
        "due to a temporary overloading of the server",
        429,
    )


def html(status: int, text: str, fields: Fields = ()) -> Answer:
    """Return a page."""
    return Answer(
        status, text.encode(), (("Content-Type", "text/html; charset=utf-8"), *fields)
    )


_NO_STORE: Fields = (("cache-control", "no-store"),)
