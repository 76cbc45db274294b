"""mitmproxy's interfaces show what is said at token endpoints decoded and masked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from mitmproxy import contentviews
from mitmproxy.contentviews import ContentviewResult
from mitmproxy.http import HTTPFlow, Response
from mitmproxy.test import taddons
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from everbearer.proxy.shown.question_flow import question_flow
from everbearer.proxy.shown.token_view import EverbearerView, TokenView
from everbearer.secret import fingerprint, redaction_mark
from proxy.flows import asked
from proxy.test_proxy_questions import ASKED

SECRET = "T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl"
FORM = f"grant_type=refresh_token&refresh_token={SECRET}".encode()
ANSWER = json.dumps({"access_token": SECRET, "expires_in": 3600}).encode()
ERROR = json.dumps({"error": "invalid_grant", "error_description": "no"}).encode()


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    """Bring the view along as a proxy does."""
    with taddons.context(EverbearerView()) as context:
        yield
        context.master.addons.remove(context.master.addons.get("everbearerview"))
        # One of its own, outside of any loop; older ones leave it open.
        context.master.event_loop.close()


def exchange(
    path: str = "/oauth2/token", body: bytes = FORM, answer: bytes = ANSWER
) -> HTTPFlow:
    """Return what a client asked and was answered, with its secrets."""
    fields = {"content_type": "application/x-www-form-urlencoded"}
    flow = asked("POST", path, body=body, **fields)
    kind = {"Content-Type": "application/json"}
    flow.response = Response.make(200, answer, kind)
    return flow


def request(flow: HTTPFlow) -> ContentviewResult:
    """Show the request as an interface does."""
    return contentviews.prettify_message(flow.request, flow)


def response(flow: HTTPFlow) -> ContentviewResult:
    """Show the answer as an interface does."""
    return contentviews.prettify_message(flow.response, flow)


def test_a_question_of_ours_is_shown_with_its_times():
    """By itself: the form, and in the answer until when the token lives."""
    flow = question_flow(ASKED)
    until = time.strftime("%H:%M:%S", time.localtime(ASKED.at + 3600))

    assert request(flow).view_name == response(flow).view_name == "everbearer"
    assert request(flow).text.splitlines() == [
        "grant_type: refresh_token",
        "client_secret: [everbearer:aaaaaaaaaaaa]",
    ]
    assert response(flow).text.splitlines() == [
        "access_token: [everbearer:bbbbbbbbbbbb]",
        f"expires_in: 3600 (60 min, until {until})",
    ]


@pytest.mark.parametrize("path", ["/oauth2/token", "/elsewhere"])
def test_a_clients_exchange_is_shown_without_its_secrets(path: str):
    """Wherever it is: a form with a grant, an answer with a token."""
    flow = exchange(path)
    mark = redaction_mark(fingerprint(SECRET))

    assert request(flow).view_name == response(flow).view_name == "everbearer"
    assert mark in request(flow).text
    assert mark in response(flow).text
    assert SECRET not in request(flow).text + response(flow).text


def test_an_error_is_one_only_at_a_token_endpoint():
    """Elsewhere a member "error" is anybody's, and so is a form without a grant."""
    here, there = exchange(answer=ERROR), exchange("/2.0/x", b"token=1", ERROR)

    assert response(here).text.splitlines()[0] == "error: invalid_grant"
    assert response(there).view_name == "JSON"
    assert request(there).view_name == "URL-encoded"
    assert request(exchange("/oauth2/revoke", b"token=x")).view_name == "everbearer"


def test_what_is_no_token_exchange_is_left_to_other_views():
    """Other kinds of bodies, empty ones, and what is no HTTP message."""
    flow = exchange(body=b'{"grant_type": "x"}')
    flow.request.headers["content-type"] = "application/json"
    assert request(flow).view_name == "JSON"
    assert response(exchange(answer=b"")).view_name != "everbearer"
    message = WebSocketMessage(Opcode.TEXT, from_client=True, content=ANSWER)
    assert contentviews.prettify_message(message, flow).view_name != "everbearer"


def test_chosen_by_hand_for_what_it_cannot_read_it_says_so():
    """The interface shows that, and goes on."""
    flow = exchange(answer=b"<html>")

    shown = contentviews.prettify_message(flow.response, flow, "everbearer")

    assert shown.syntax_highlight == "error"


def test_the_view_goes_with_its_proxy():
    """It is there while the addon is, and not after."""
    view = EverbearerView()
    view.done()
    assert "everbearer" not in contentviews.registry

    view.load(None)
    assert isinstance(contentviews.registry["everbearer"], TokenView)
