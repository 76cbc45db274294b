"""A flow tells what was done with it, before it is saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mitmproxy.flow import Error
from mitmproxy.proxy import layers
from mitmproxy.utils import emoji

from everbearer.errors import TokenEndpointUnavailable
from everbearer.events import Exchanged
from everbearer.proxy.refusal import from_error
from everbearer.proxy.shown import telling
from everbearer.proxy.shown.caption import caption
from everbearer.proxy.shown.captions import EverbearerCaptions
from happened import exchanged, renewed, replayed
from proxy.flows import asked
from proxy.shown_stage import TOKEN, Shown, answer, shown_stage

INJECTED = "ccg · injected · fresh, 2 h left · rule box: API"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Shown]:
    """Give hooks whose flows are looked at."""
    async with shown_stage(tmp_path) as here:
        yield here


def event(**more: object) -> Exchanged:
    """Return what is told of a request that got a token."""
    return exchanged(**({"profile": "ccg", "token": ""} | more))


def told(made: Exchanged, **more: str) -> str:
    """Return the caption of *made*."""
    return caption(made, **({"token": "", "error": "", "instead": ""} | more))


async def test_an_injected_request_has_its_caption_when_it_is_saved(here: Shown):
    """Profile, what was done, how the token does, and the rule; no secret."""
    flow = asked()
    await here.out(flow)
    await here.back(flow, answer())

    assert here.saver.seen == [("/2.0/users/me", "", INJECTED)]
    assert TOKEN not in str(flow.get_state())


async def test_a_flow_that_ends_without_an_answer_has_one_too(here: Shown):
    """The hook is another one, and flows are saved there as well."""
    flow = asked()
    await here.out(flow)
    flow.error = Error("connection refused")
    await here.hook(layers.http.HttpErrorHook(flow))

    assert here.saver.seen == [("/2.0/users/me", "", INJECTED)]


async def test_a_refused_request_is_marked(here: Shown):
    """The reason, its code, and a marker that mitmproxy has a picture for."""
    flow = asked(everbearer_profile="prod")
    await here.out(flow)
    await here.back(flow)

    [(_, marker, comment)] = here.saver.seen
    assert marker == telling.REFUSAL
    assert comment == (
        "refused: Everbearer-Profile: 'prod' names no profile (profile_unknown)"
        " · rule box: API"
    )


async def test_a_request_that_passed_says_why(here: Shown):
    """No token went out, for this reason."""
    flow = asked(everbearer_profile="none")
    await here.out(flow)
    await here.back(flow, answer(401))

    [(_, marker, comment)] = here.saver.seen
    assert marker == ""
    assert comment == (
        "passed: the request asks for no credential (profile_none) · rule box: API"
    )


async def test_a_host_that_no_rule_names_has_none(here: Shown):
    """What is not ours to tell of stays as it was."""
    flow = asked()
    flow.request.data.host, flow.server_conn.sni = "elsewhere.test", "elsewhere.test"
    flow.client_conn.sni = "elsewhere.test"
    flow.server_conn.address = ("elsewhere.test", 443)
    flow.request.headers["host"] = "elsewhere.test"
    await here.out(flow)
    await here.back(flow, answer())

    assert here.saver.seen == [("/2.0/users/me", "", "")]


@pytest.mark.parametrize("marker", ["", ":grapes:"])
async def test_what_a_person_wrote_stays(here: Shown, marker: str):
    """A comment of his is not overwritten, nor is his marker."""
    flow = asked(everbearer_profile="prod")
    flow.comment, flow.marked = "look at this one", marker
    await here.out(flow)
    await here.back(flow)

    kept = marker or telling.REFUSAL
    assert here.saver.seen == [("/2.0/users/me", kept, "look at this one")]


async def test_a_marker_of_a_persons_stays_beside_our_comment(here: Shown):
    """He marked the flow while it was under way."""
    flow = asked(everbearer_profile="prod")
    flow.marked = ":grapes:"
    await here.out(flow)
    await here.back(flow)

    [(_, marker, comment)] = here.saver.seen
    assert marker == ":grapes:"
    assert comment.startswith("refused: ")


async def test_a_flow_that_is_sent_again_tells_of_its_last_sending(here: Shown):
    """Our own comment and marker are replaced, a person's later ones are not."""
    flow = asked(everbearer_profile="prod")
    await here.out(flow)
    await here.back(flow)
    flow.response = None
    flow.is_replay = "request"
    await here.out(flow)
    await here.back(flow, answer())
    flow.comment, flow.marked = "mine", ":grapes:"
    flow.response = None
    await here.out(flow)
    await here.back(flow, answer())

    assert [seen[1:] for seen in here.saver.seen[1:]] == [
        ("", INJECTED),
        (":grapes:", "mine"),
    ]


@pytest.mark.parametrize("hook", ["response", "error"])
async def test_a_replay_is_told_and_marked(here: Shown, hook: str):
    """The 401, what was done about it and the replay; the replay's own flow too."""
    flow = asked()
    await here.out(flow)
    note = here.note(flow)
    note.rejected, note.complaint, note.replayed = "abc", "invalid_token", True
    assert note.credential is not None
    token = note.credential.token.fingerprint
    here.broker.publish(renewed(profile="ccg", token=token))
    await here.back(flow, answer())
    replay = asked(path="/2.0/files/1")
    await here.out(replay)
    here.note(replay).is_replay = True
    here.note(replay).rejected = "abc"
    getattr(here.part(EverbearerCaptions), hook)(replay)

    [(_, marker, comment)] = here.saver.seen
    assert marker == replay.marked == telling.REPLAY
    assert comment == f"ccg · 401 invalid_token → renewed → replayed · {INJECTED[6:]}"
    assert replay.comment == "ccg · replay of a 401 · fresh, 2 h left"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "another token"),
        ((renewed(profile="ccg", token="fp"),), "renewed"),
        (
            (renewed(profile="ccg", token="fp", shared=True),),
            "renewed by another process",
        ),
        (
            (replayed(learned=True, id="fid"),),
            "what the server told",
        ),
    ],
)
async def test_what_a_replay_carried_is_told(here: Shown, events, words):
    """A new token, whoever renewed it, or what the server asked for."""
    flow = asked()
    flow.id = "fid"
    await here.out(flow)
    for each in events:
        here.broker.publish(each)
    here.broker.publish(event(id="fid", rejected="abc", replayed=True, token="fp"))

    assert f"ccg · 401 → {words} → replayed · injected" in flow.comment


def test_a_401_that_could_not_be_healed_says_why():
    """What stood against it, or what came of the renewal."""
    given_back = event(rejected="abc", note="not replayed: its body was not kept")
    error = TokenEndpointUnavailable("nobody answers")
    refusal = from_error(error, "ccg")
    refused = event(
        rejected="abc", verdict="refuse", code=refusal.code, reason=refusal.detail
    )

    assert told(given_back, error="invalid_token", token="fresh, 9 min left") == (
        "ccg · 401 invalid_token · injected · fresh, 9 min left"
        " · not replayed: its body was not kept · rule box: API"
    )
    assert told(refused, error="invalid_token") == (
        "ccg · 401 invalid_token · refused: nobody answers"
        " (token_endpoint_unavailable) · rule box: API"
    )


def test_a_proxy_user_is_named_and_our_own_question_is_not_a_refusal():
    """Who asked stands beside the profile."""
    assert told(event(user="alice")).startswith("ccg · for alice · injected")
    assert told(event(probe=True, verdict="refuse", profile="", rule="")) == (
        "a question of everbearer's own"
    )


def test_mitmproxy_has_pictures_for_the_markers():
    """Its list shows one character for each; others would all look the same."""
    used = {telling.REPLAY, telling.REFUSAL, telling.QUESTION}

    assert used <= set(emoji.emoji)
    assert len({emoji.emoji[name][0] for name in used}) == len(used)
