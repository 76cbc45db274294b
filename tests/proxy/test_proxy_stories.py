"""What is known of a request is put together from several events."""

from __future__ import annotations

from dataclasses import replace

from everbearer.events import Exchanged, RenewalFailed, Renewed, Replayed
from everbearer.proxy.shown.stories import Stories
from everbearer.subscribers import Subscribers

EVENT = Exchanged(
    at=1.0,
    method="GET",
    host="api.box.com",
    path="/2.0/users/me?q=secret",
    status=200,
    profile="dev",
    verdict="inject",
    code="missing",
    duration=0.1,
    token="new",
    id="1",
)
HEALED = replace(
    EVENT, rejected="old", challenge="Bearer, invalid_token", replayed=True
)


def told(*events: object) -> dict[str, str]:
    """Return the story of request 1 after these."""
    subscribers = Subscribers()
    stories = Stories(subscribers.subscribe)
    for event in events:
        subscribers.publish(event)
    return dict(stories.of("1"))


def test_a_healed_request():
    """The 401 and for which token it was, the renewal, the replay."""
    renewed = Renewed(0.5, "dev", "rejected", "new", 9.0, 0.12)
    replayed = Replayed(0.9, "dev", "GET", "h", "/", 200, 0.034, id="1")

    story = told(renewed, replayed, HEALED)

    assert story["request"] == "GET api.box.com/2.0/users/me: 200"
    assert story["401"] == "for token old: Bearer, invalid_token"
    assert story["renewal"] == "renewed (cause rejected), 120 ms"
    assert story["replay"] == "200, 34 ms"


def test_a_renewal_of_another_process():
    """It is told apart; nothing is told where nobody knows who renewed."""
    shared = Renewed(0.5, "dev", "rejected", "new", 9.0, 0.1, shared=True)

    assert told(shared, HEALED)["renewal"].startswith("another process renewed")
    assert "renewal" not in told(HEALED)


def test_a_renewal_that_failed():
    """The refusal has its reason, and what to do."""
    failed = RenewalFailed(0.5, "dev", "rejected", "store_error", "no store", "look")
    refused = replace(HEALED, verdict="refuse", token="old", hint="look", status=0)

    story = told(failed, replace(refused, challenge=""))

    assert story["request"].endswith(": closed without an answer")
    assert story["401"] == "for token old: without a challenge"
    assert story["renewal"] == "failed: store_error: no store"
    assert story["hint"] == "look"


def test_what_else_happened_is_told_once():
    """A note that is the reason is not said twice."""
    assert told(replace(EVENT, note="n", reason="n")).get("note") is None
    assert told(replace(EVENT, note="n"))["note"] == "n"


def test_of_others_nothing_is_known():
    """A request that was never told of has no story, and memory is bounded."""
    assert told(replace(EVENT, id="2")) == {}
    assert told(EVENT, *(replace(EVENT, id=f"{n}") for n in range(2, 2003))) == {}
