"""Questions to authorization servers stand among the flows, and are only shown."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.addons.intercept import Intercept
from mitmproxy.addons.save import Save
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.addons.view import View
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.tools.web.app import flow_to_json
from mitmproxy.utils import emoji

from everbearer.events import (
    Exchanged,
    RenewalFailed,
    Renewed,
    TokenRequested,
    TokensDeleted,
)
from everbearer.proxy.shown import telling
from everbearer.proxy.shown.question_flow import is_question, question_flow
from everbearer.proxy.shown.questions import EverbearerQuestions
from everbearer.proxy.tokens import EverbearerTokens
from everbearer.secret import redaction_mark
from proxy.shown_stage import Shown, shown_stage

ASKED = TokenRequested(
    at=1_790_000_000.0,
    profile="ccg",
    url="https://api.box.com/oauth2/token",
    form=(
        ("grant_type", "refresh_token"),
        ("client_secret", redaction_mark("aaaaaaaaaaaa")),
    ),
    status=200,
    fields=(("content-type", "application/json"),),
    answer='{"access_token": "[everbearer:bbbbbbbbbbbb]", "expires_in": 3600}',
    code="",
    duration=0.25,
)
DONE = Renewed(0.0, "ccg", "stale", "bbbbbbbbbbbb", 3600.0, 0.3)
FAILED = RenewalFailed(0.0, "ccg", "expired", "token_endpoint_unavailable", "m", "h")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Shown]:
    """Give hooks whose flows are looked at, and mitmproxy's list of them."""
    async with shown_stage(tmp_path) as here:
        here.context.master.addons.add(View())
        yield here


async def shown(here: Shown, *events: object) -> list[HTTPFlow]:
    """Publish these and return mitmproxy's list of flows."""
    for event in events:
        here.broker.publish(event)
    await here.part(EverbearerQuestions).finish()
    return list(here.context.master.addons.get("view"))


async def test_a_renewal_is_a_flow(here: Shown):
    """What was asked and answered, when, why, and what came of it."""
    [flow] = await shown(here, ASKED, DONE)

    assert flow.request.pretty_url == ASKED.url
    assert flow.request.urlencoded_form["client_secret"] == "[everbearer:aaaaaaaaaaaa]"
    assert flow.response.json()["access_token"] == "[everbearer:bbbbbbbbbbbb]"
    assert flow.request.timestamp_start == ASKED.at
    assert flow.response.timestamp_end == ASKED.at + ASKED.duration
    assert flow.comment == "ccg · renewal · cause stale · good for 60 min"
    assert flow.marked == telling.QUESTION
    assert not flow.live


@pytest.mark.parametrize(
    ("events", "comments"),
    [
        (
            (replace(ASKED, status=409, code=""), ASKED, DONE),
            (
                "ccg · renewal · cause stale · 409, asked again",
                "ccg · renewal · cause stale · good for 60 min",
            ),
        ),
        (
            (ASKED, FAILED),
            ("ccg · renewal · cause expired · failed: token_endpoint_unavailable",),
        ),
        (
            (
                replace(ASKED, form=(("token", "x"),)),
                TokensDeleted(0.0, "ccg", revoked=True),
            ),
            ("ccg · revocation · the tokens are deleted",),
        ),
        (
            (replace(ASKED, form=(("grant_type", "authorization_code"),)),),
            ("ccg · login",),
        ),
        # What another process did, or another profile's grant, is not the outcome.
        (
            (ASKED, replace(DONE, shared=True), replace(DONE, profile="other")),
            ("ccg · renewal",),
        ),
    ],
)
async def test_its_comment_tells_what_came_of_it(here: Shown, events, comments):
    """Each question of a renewal is told, the last with the outcome."""
    assert tuple(f.comment for f in await shown(here, *events)) == comments


async def test_a_question_without_an_answer_is_a_flow_with_an_error(here: Shown):
    """It has the code of what went wrong."""
    lost = replace(ASKED, status=0, answer="", fields=(), code="store_error")

    [flow] = await shown(here, lost, FAILED)

    assert flow.response is None
    assert flow.error.msg == "no answer that could be read: store_error"


async def test_an_answer_that_is_no_json_is_missing(here: Shown):
    """Its text is not kept; an empty one would be another statement."""
    [flow] = await shown(here, replace(ASKED, answer=""), DONE)

    assert flow.response.raw_content is None


async def test_a_question_that_nobody_speaks_of_is_shown_all_the_same(
    here: Shown,
):
    """After a moment, by itself, and once."""
    here.part(EverbearerQuestions)._patience = 0.0
    here.broker.publish(ASKED)
    view = here.context.master.addons.get("view")
    while not len(view):  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)

    assert [flow.comment for flow in await shown(here)] == ["ccg · renewal"]


async def test_publishing_does_not_wait_for_the_hooks(here: Shown):
    """A script that blocks in its hooks holds up its proxy, not the renewal's lock."""
    # As mitmproxy runs: a task begins at once.
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    here.broker.publish(ASKED)
    here.broker.publish(DONE)

    assert here.saver.seen == []


async def test_the_hooks_of_ours_take_it_for_no_request(here: Shown):
    """Nothing is decided about, noted, given a token, or told."""
    events: list[object] = []
    here.broker.subscribe(events.append)

    [flow] = await shown(here, ASKED, DONE)

    assert not any(isinstance(each, Exchanged) for each in events)
    assert here.part(EverbearerTokens)._notes.by_id == {}
    assert "authorization" not in flow.request.headers
    assert flow.request.port == 443


async def test_it_is_saved_in_both_formats(here: Shown, tmp_path: Path):
    """The flow file and the HAR have it, and it can be read back."""
    flows, har = tmp_path / "x.flows", tmp_path / "x.har"
    here.context.master.addons.add(Save(), SaveHar())
    here.context.options.update(save_stream_file=str(flows), hardump=str(har))

    await shown(here, ASKED, DONE)
    await shown(here, replace(ASKED, status=0, answer="", code="x"), FAILED)
    here.context.options.update(save_stream_file=None)
    here.context.master.addons.get("savehar").done()

    with flows.open("rb") as file:
        read = [*FlowReader(file).stream()]
    assert [flow.marked for flow in read] == [":key:", ":key:"]
    assert read[0].comment.startswith("ccg · renewal")
    assert is_question(read[0])
    assert "access_token" in har.read_text()


async def test_the_web_interface_can_show_it(here: Shown):
    """Its JSON has the comment and the marker."""
    [flow] = await shown(here, ASKED, DONE)

    made = flow_to_json(flow)

    assert made["comment"] == "ccg · renewal · cause stale · good for 60 min"
    assert made["marked"] == emoji.emoji[":key:"]


async def test_an_intercept_filter_does_not_hold_it(here: Shown):
    """There is nothing that could be let go on."""
    here.context.master.addons.add(Intercept())
    here.context.options.update(intercept="~all")

    [flow] = await shown(here, ASKED, DONE)

    assert not flow.intercepted


async def test_in_reverse_mode_it_stays_where_it_was_asked(here: Shown):
    """Mitmproxy's own loading of flows would move it to the listener's server."""
    here.context.options.mode = ["reverse:https://elsewhere.test@127.0.0.1:0"]

    [flow] = await shown(here, ASKED, DONE)

    assert flow.request.host == "api.box.com"


@pytest.mark.parametrize("saved", [False, True])
async def test_sent_again_it_is_refused(here: Shown, saved: bool):
    """By a person, from the list or from a file: it says what to do instead."""
    flow = question_flow(ASKED)
    if saved:
        file = io.BytesIO()
        FlowWriter(file).add(flow)
        file.seek(0)
        [flow] = FlowReader(file).stream()
    flow.is_replay, flow.response = "request", None

    await here.out(flow)

    assert flow.response.status_code == 409
    assert flow.response.json()["code"] == "question_not_repeated"
    assert "everbearer.renew" in flow.response.json()["hint"]
    assert here.part(EverbearerTokens)._notes.by_id == {}


async def test_where_nobody_looks_no_flow_is_built(tmp_path: Path):
    """The plain proxy has none of these parts."""
    async with shown_stage(tmp_path, looked_at=False) as here:
        names = {type(part).__module__ for part in here.parts}

        assert not any(".shown" in name for name in names)
        assert here.alone == ()
