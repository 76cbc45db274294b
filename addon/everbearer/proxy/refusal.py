"""
What a client is told when its request does not go out.

RFC 9457 (problem details) for the body, RFC 9209 (Proxy-Status) for programs
that look at fields only.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mitmproxy import http

from everbearer.errors import EverbearerError, TokenEndpointUnavailable
from everbearer.policy.hosts import is_loopback
from everbearer.policy.verdict import Inject
from everbearer.proxy.body import is_small
from everbearer.proxy.look import body_length
from everbearer.report import report

if TYPE_CHECKING:
    from everbearer.policy.verdict import Refuse
    from everbearer.proxy.notes import Note
    from everbearer.settings.model import Standing

logger = logging.getLogger(__name__)

_TYPE: Final = "about:blank"
_INTERNAL: Final = "internal_error"
_PROXY_ERRORS: Final = {
    502: "proxy_configuration_error",
    503: "destination_unavailable",
    504: "connection_timeout",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A refusal as the client sees it; `retry_after` in whole seconds, 0 for none.

    `fields` are more of its answer's: a challenge.
    """

    status: int
    code: str
    detail: str
    hint: str
    profile: str = ""
    retry_after: int = 0
    fields: tuple[tuple[str, str], ...] = ()

    def having(self, *fields: tuple[str, str]) -> Refusal:
        """Return it with these fields."""
        return replace(self, fields=fields)


def from_verdict(verdict: Refuse, retry_after: int = 0) -> Refusal:
    """Turn the policy's word into what the client sees."""
    return Refusal(
        verdict.status,
        verdict.code,
        verdict.reason,
        verdict.hint,
        verdict.profile,
        retry_after,
    )


def from_error(error: BaseException, profile: str) -> Refusal:
    """
    Turn what went wrong into what the client sees.

    Only our own errors speak: their messages are written to hold no secret.
    """
    if not isinstance(error, EverbearerError):
        return Refusal(
            500,
            _INTERNAL,
            "everbearer failed and did not let the request out without its token",
            EverbearerError.default_hint,
            profile,
        )
    retry_after = 0
    if isinstance(error, TokenEndpointUnavailable):
        retry_after = max(1, round(error.retry_after or 1))
    return Refusal(
        error.status, error.code, error.message, error.hint, profile, retry_after
    )


def render(refusal: Refusal, standing: Standing) -> http.Response:
    """
    Build the answer.

    *standing* has why the configuration on disk is not the one in force: whoever
    wonders why a request is refused that the file allows must see that.
    """
    body: dict[str, object] = {
        "type": _TYPE,
        "title": refusal.code.replace("_", " "),
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "hint": standing.in_full(refusal.hint),
    }
    if refusal.profile:
        body["profile"] = refusal.profile
    if standing.problems:
        body["configuration_problems"] = list(standing.problems)
    response = http.Response.make(
        refusal.status,
        json.dumps(body, ensure_ascii=True, indent=2).encode() + b"\n",
        {
            "Content-Type": "application/problem+json",
            "Cache-Control": "no-store",
            "Proxy-Status": f"everbearer; error={_proxy_error(refusal)}; "
            f'details="{refusal.code}"',
        },
    )
    if refusal.retry_after:
        response.headers["Retry-After"] = str(refusal.retry_after)
    for name, value in refusal.fields:
        response.headers[name] = value
    return response


def _proxy_error(refusal: Refusal) -> str:
    # RFC 9209 §2.3: the registered error types nearest to ours.
    if refusal.code == _INTERNAL:
        return "proxy_internal_error"
    return _PROXY_ERRORS.get(refusal.status, "http_request_denied")


def answer(flow: http.HTTPFlow, refusal: Refusal, standing: Standing) -> None:
    """
    Put the refusal in the place of the server's answer.

    RFC 9110 §9.3.2: to a HEAD without the body, which the client would read as
    the beginning of its next answer.
    """
    if not is_loopback(flow.client_conn.sockname[0]):
        # From another machine nobody runs the command, nor need know of our folders.
        standing = replace(standing, source=None)
    flow.response = render(refusal, standing)
    if flow.request.method.upper() == "HEAD":
        flow.response.data.content = b""


def refuse(flow: http.HTTPFlow, refusal: Refusal, standing: Standing) -> None:
    """
    Keep the request from leaving.

    With a small body, or one that is all there, the client gets the refusal as an
    answer. With any other mitmproxy would read it all into memory first: the
    connection is closed and the log has the reason.
    """
    if flow.request.raw_content is not None or is_small(body_length(flow)):
        flow.request.stream = False
        answer(flow, refusal, standing)
        return
    logger.warning(
        "closed the connection of %s %s: %s (%s; an answer would have to wait "
        "for its whole body)",
        flow.request.method,
        flow.request.host,
        refusal.detail,
        refusal.code,
    )
    kill(flow)


def fail_closed(
    flow: http.HTTPFlow,
    note: Note | None,
    error: BaseException,
    standing: Standing,
) -> None:
    """
    Keep the request from leaving after *error* in a hook; never raises.

    A second failure in here is the guard's: there is no finished note.
    """
    try:
        profile = ""
        if note is not None and isinstance(note.verdict, Inject):
            profile = note.verdict.profile
        refusal = from_error(error, profile)
        if refusal.code == _INTERNAL:
            report("a request was refused", error)
        if note is not None:
            note.target = None
            note.refusal = refusal
        refuse(flow, refusal, standing)
    except BaseException as another:
        report("a refusal failed: the connection is closed", another)
        kill(flow)


def kill(flow: http.HTTPFlow) -> None:
    """Close the client's connection instead of answering."""
    if flow.killable:
        flow.kill()
