"""What a client is told, by RFC 9457 and RFC 9209, and what it is never told."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from everbearer import errors
from everbearer.errors import EverbearerError, Problem, TokenEndpointUnavailable
from everbearer.policy.verdict import Refuse
from everbearer.proxy.refusal import (
    Refusal,
    answer,
    from_error,
    from_verdict,
    kill,
    refuse,
    render,
)
from everbearer.report import report
from everbearer.settings.model import Standing
from proxy.flows import asked

CANARY = "canary-7f3a"
REGISTERED = {
    "proxy_internal_error",
    "proxy_configuration_error",
    "destination_unavailable",
    "connection_timeout",
    "http_request_denied",
}
"""Those of RFC 9209 §2.3 that we use."""

SMALL = Refusal(403, "some_code", "some détail", "do this", "dev")


def kinds(base: type[EverbearerError] = EverbearerError) -> list[type[EverbearerError]]:
    """Return every error there is."""
    return [base, *(kind for sub in base.__subclasses__() for kind in kinds(sub))]


def test_an_answer_is_a_problem_document():
    """All members, in ASCII; not kept by any cache; no CORS field that opens it."""
    response = render(SMALL, Standing())
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.content.isascii()
    assert json.loads(response.content) == {
        "type": "about:blank",
        "title": "some code",
        "status": 403,
        "detail": "some détail",
        "code": "some_code",
        "hint": "do this",
        "profile": "dev",
    }
    assert int(response.headers["content-length"]) == len(response.content)
    assert not any("access-control" in name.lower() for name in response.headers)


def test_what_is_not_known_is_not_said():
    """Without a profile, a wait or a problem there is no such member or field."""
    response = render(Refusal(400, "code", "detail", "hint"), Standing())
    assert {"profile", "configuration_problems"}.isdisjoint(
        json.loads(response.content)
    )
    assert "retry-after" not in response.headers


def test_the_configuration_is_named_in_the_command_to_run():
    """Whoever is refused runs what the hint says anywhere, and it is the right file."""
    refusal = Refusal(400, "code", "detail", "run: everbearer login dev")
    body = json.loads(render(refusal, Standing(Path("/a b/c.toml"))).content)
    assert body["hint"] == "run: everbearer login -c '/a b/c.toml' dev"


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("127.0.0.1", "everbearer login -c /a/c.toml dev"),
        ("192.0.2.1", "everbearer login dev"),
    ],
)
def test_another_machine_is_not_told_where_the_configuration_is(address, command):
    """Its path may name people and clients; who came to this machine's is told."""
    flow = asked("GET")
    flow.client_conn.sockname = (address, 8080)
    refusal = Refusal(502, "code", "detail", "run: everbearer login dev")
    answer(flow, refusal, Standing(Path("/a/c.toml")))
    assert json.loads(flow.response.content)["hint"] == f"run: {command}"


def test_problems_of_the_configuration_are_told():
    """As a list, in their order."""
    body = json.loads(render(SMALL, Standing(problems=("one", "two"))).content)
    assert body["configuration_problems"] == ["one", "two"]


def error_of(kind: type[EverbearerError]) -> EverbearerError:
    """Make one."""
    if kind is errors.ConfigError:
        return errors.ConfigError(Problem("here", "is wrong", "mend it"))
    return kind("what went wrong")


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_becomes_its_answer(kind: type[EverbearerError]):
    """Status, code, message and hint are the error's; Proxy-Status is well-formed."""
    error = error_of(kind)
    response = render(from_error(error, "dev"), Standing())
    body = json.loads(response.content)
    assert (response.status_code, body["status"]) == (error.status, error.status)
    assert (body["code"], body["hint"]) == (error.code, error.hint)
    assert body["detail"] == error.message
    assert body["profile"] == "dev"
    proxy_status = response.headers["proxy-status"]
    form = r'everbearer; error=([a-z_]+); details="([a-z_]+)"'
    kind_of_error, details = re.fullmatch(form, proxy_status).groups()
    assert kind_of_error in REGISTERED
    assert details == error.code
    assert ("retry-after" in response.headers) == (error.status == 503)


@pytest.mark.parametrize(
    ("seconds", "field"), [(None, "1"), (0.0, "1"), (0.2, "1"), (59.6, "60")]
)
def test_retry_after_is_whole_and_never_now(seconds: float | None, field: str):
    """RFC 9110 §10.2.3: delay-seconds, at least one so that nobody hammers."""
    error = TokenEndpointUnavailable("away", retry_after=seconds)
    response = render(from_error(error, "dev"), Standing())
    assert response.headers["retry-after"] == field


@pytest.mark.parametrize(
    "error", [ValueError(CANARY), KeyError(CANARY), BaseException(CANARY)]
)
def test_what_others_raise_is_not_told(error: BaseException):
    """500 internal_error; not a word of the error's own."""
    refusal = from_error(error, "dev")
    assert (refusal.status, refusal.code) == (500, "internal_error")
    assert CANARY not in repr(refusal)
    assert CANARY.encode() not in render(refusal, Standing()).content


def test_a_verdict_becomes_its_answer():
    """Nothing of what the policy says is lost."""
    verdict = Refuse(421, "wrong_host", "why", "what to do", "rule", "dev")
    assert from_verdict(verdict) == Refusal(
        421, "wrong_host", "why", "what to do", "dev"
    )


@pytest.mark.parametrize(
    "flow",
    [
        asked(),
        asked("POST", body=b"x" * 10, content_length="10"),
        asked("POST", body=None, content_length=str(1024 * 1024)),
    ],
    ids=["none", "short", "1 MiB"],
)
def test_with_a_short_body_the_client_is_answered(flow):
    """Up to 1 MiB: an answer, and no streaming, which mitmproxy cannot do with one."""
    flow.request.stream = True
    refuse(flow, SMALL, Standing(problems=("a problem",)))
    assert flow.request.stream is False
    assert b"a problem" in flow.response.content
    assert flow.error is None


@pytest.mark.parametrize(
    "flow",
    [
        asked("POST", body=None, content_length=str(1024 * 1024 + 1)),
        asked("POST", body=None, transfer_encoding="chunked"),
        asked("POST", body=None, http2=True),
    ],
    ids=["long", "chunked", "HTTP/2"],
)
def test_with_a_long_body_the_connection_is_closed(flow, caplog):
    """An answer would have to wait for all of it; the log has code and reason."""
    refuse(flow, SMALL, Standing())
    assert flow.response is None
    assert not flow.killable
    assert "some_code" in caplog.text
    assert "some détail" in caplog.text
    kill(flow)  # harmless


@pytest.mark.parametrize("method", ["HEAD", "head"])
def test_the_answer_to_a_head_has_no_body(method: str):
    """RFC 9110 §9.3.2: its fields are those of a GET, its body is not sent."""
    flow = asked(method)
    refuse(flow, SMALL, Standing())
    assert flow.response.raw_content == b""
    assert flow.response.headers == render(SMALL, Standing()).headers


def test_a_report_has_no_text_of_the_error(caplog):
    """What failed, of which kind and where; never what the error says."""
    with pytest.raises(ValueError, match=CANARY) as caught:
        int(CANARY)
    with caplog.at_level(logging.ERROR):
        report("a thing failed", caught.value)
    assert "a thing failed: " in caplog.text
    assert "test_proxy_refusal.py" in caplog.text
    assert CANARY not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
