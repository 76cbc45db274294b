"""What is known of a request is told in words, from several events."""

from __future__ import annotations

from everbearer.proxy.shown.told import Told
from everbearer.stories import Stories
from happened import exchanged, failed, renewed, replayed

HEALED = exchanged(
    token="new", rejected="old", challenge="Bearer, invalid_token", replayed=True
)
RENEWED = renewed(HEALED.at, token="new", cause="rejected", duration=0.12)


def told(*events: object) -> dict[str, str]:
    """Return the story of request 1 after these."""
    stories = Stories()
    known = Told(stories)
    for event in events:
        stories(event)
        known(event)
    return dict(known.of("id-1"))


def test_a_healed_request():
    """The 401 and for which token it was, the renewal, the replay."""
    story = told(RENEWED, replayed(1, duration=0.034), HEALED)

    assert story["request"] == "GET api.box.com/2.0/x/1: 200"
    assert story["which rule"] == "rule box: API is for GET of this path"
    assert story["401"] == "for token old: Bearer, invalid_token"
    assert story["renewal"] == "renewed (cause rejected), 120 ms"
    assert story["replay"] == "200, 34 ms"


def test_a_renewal_of_another_process():
    """It is told apart; nothing is told where nobody knows who renewed."""
    shared = renewed(HEALED.at, token="new", cause="rejected", shared=True)

    assert told(shared, HEALED)["renewal"].startswith("another process renewed")
    assert "renewal" not in told(HEALED)


def test_a_renewal_that_failed():
    """The refusal has its reason, and what to do."""
    refused = exchanged(
        verdict="refuse",
        code="store_error",
        token="old",
        rejected="old",
        hint="look",
        status=0,
    )
    why = failed(refused.at, code="store_error", message="no store")

    story = told(why, refused)

    assert story["request"].endswith(": closed without an answer")
    assert story["401"] == "for token old: without a challenge"
    assert story["renewal"] == "failed: store_error: no store"
    assert story["hint"] == "look"


def test_what_else_happened_is_told_once():
    """A note that is the reason is not said twice."""
    assert "note" not in told(exchanged(note="n", reason="n"))
    assert told(exchanged(note="n"))["note"] == "n"


def test_no_query_is_told():
    """Whatever the path was."""
    told_of = told(exchanged(path="/2.0/users/me?q=secret"))
    assert told_of["request"] == "GET api.box.com/2.0/users/me: 200"


def test_of_others_nothing_is_known():
    """A request that was never told of has no story, and memory is bounded."""
    assert told(exchanged(2)) == {}
    assert told(*(exchanged(number) for number in range(1, 2003))) == {}
