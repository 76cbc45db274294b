"""Which renewal, failure and replay belong to a request."""

from __future__ import annotations

import pytest

from everbearer.stories import MOST, Stories, Story
from happened import AT, exchanged, failed, renewed, replayed

UNHEALED = {"rejected": "old", "token": "old", "status": 401}


def story(*events: object) -> Story:
    """Return the story of the last of *events*, a request."""
    stories = Stories()
    for event in events:
        stories(event)
    return stories.of(events[-1])


def test_a_renewal_is_that_of_the_requests_token_and_profile():
    """The last that brought it; another token's, or another profile's, is not."""
    first, last = renewed(AT, token="new"), renewed(AT + 1, token="new", shared=True)
    others = renewed(AT, token="old"), renewed(AT, profile="other", token="new")
    assert story(first, last, *others, exchanged(token="new")).renewal == last
    assert story(*others, exchanged(token="new")).renewal is None
    assert story(*others, exchanged(token="")).renewal is None


def test_a_replay_is_that_of_the_request():
    """Known by its id."""
    replay = replayed(1)
    assert story(replay, replayed(2), exchanged(1)).replay == replay
    assert story(replayed(2), exchanged(1)).replay is None


def test_a_failure_is_why_a_request_was_refused():
    """The profile's last before it, where that is what the refusal says."""
    code = failed().code
    refused = exchanged(1, verdict="refuse", code=code)
    assert story(failed(AT - 1000), failed(AT), refused).failure == failed(AT)
    assert story(failed(AT, profile="other"), refused).failure is None
    assert story(failed(AT, code="store_error"), refused).failure is None


@pytest.mark.parametrize(
    ("at", "changes", "is_why"),
    [
        (AT, UNHEALED, True),
        (AT - 50, UNHEALED, True),
        (AT - 100, UNHEALED, False),
        (AT + 2, UNHEALED, False),
        (AT, {**UNHEALED, "replayed": True}, False),
        (AT, {}, False),
    ],
    ids=["just now", "lately", "long ago", "afterwards", "healed", "well"],
)
def test_a_failure_is_why_a_401_was_not_healed(at, changes, is_why):
    """Where it came within a minute before; never of a request that went well."""
    found = story(failed(at), exchanged(1, **changes)).failure
    assert (found is not None) is is_why


def test_a_failure_stays_that_of_its_request():
    """Whatever fails, and succeeds, after it."""
    stories, event = Stories(), exchanged(1, **UNHEALED)
    for each in (failed(AT), event, failed(AT + 5), renewed(AT + 6)):
        stories(each)
    assert stories.of(event).failure == failed(AT)


def test_the_steps_are_those_of_the_decision():
    """None where what was decided about was not kept."""
    steps = story(exchanged()).steps
    assert steps[-1].last
    assert steps[-1].words == "the request has no credential"
    assert story(exchanged(view=None)).steps == ()


def test_memory_is_bounded():
    """Of each kind the last are kept."""
    stories = Stories()
    events = [exchanged(number, **UNHEALED) for number in range(MOST + 1)]
    for number, event in enumerate(events):
        stories(renewed(event.at - 1, token=f"{number}"))
        stories(failed(event.at - 1))
        stories(replayed(number))
        stories(event)
    first, last = stories.of(events[0]), stories.of(events[-1])
    assert (first.failure, first.replay) == (None, None)
    assert last.failure is not None
    assert last.replay is not None
    kept = (stories._renewals, stories._replays, stories._failures)
    assert [len(each) for each in kept] == [MOST] * 3
