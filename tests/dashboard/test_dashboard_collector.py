"""What the dashboard remembers, and how much of it."""

from __future__ import annotations

import gc
import sys
from types import FunctionType, ModuleType
from typing import Any

import pytest

from everbearer.dashboard.collector import MOST, Collector
from everbearer.dashboard.lives import MOST as MOST_MARKS
from everbearer.dashboard.lives import SHOWN
from everbearer.dashboard.rows import row, told
from everbearer.events import (
    ClientRedeemed,
    ConfigurationChanged,
    DefaultChosen,
    TokensDeleted,
)
from happened import AT, exchanged, failed, renewed, replayed


@pytest.fixture
def known() -> Collector:
    """Give a collector that knows of nothing."""
    return Collector()


def story(known: Collector) -> dict[str, Any]:
    """Return what is told of request 1."""
    found = known.story("id-1")
    assert found is not None
    return told(found)


def bytes_of(thing: object) -> int:
    """Return the size of all that hangs on *thing*."""
    seen: dict[int, object] = {}
    found = [thing]
    while found:
        each = found.pop()
        if id(each) in seen or isinstance(each, type | FunctionType | ModuleType):
            continue
        seen[id(each)] = each
        found += gc.get_referents(each)
    return sum(map(sys.getsizeof, seen.values()))


def test_a_hundred_thousand_requests_take_no_more_memory_than_a_few(known: Collector):
    """Requests, marks, lives, renewals: each is kept up to a limit, then the latest."""

    def feed(numbers: range) -> None:
        for number in numbers:
            at = AT + number
            known(exchanged(number, rejected="old" if number % 5 == 0 else ""))
            if number % 10 == 0:
                known(replayed(number))
                known(renewed(at, token=f"token-{number}", cause="rejected"))
                known(failed(at))

    feed(range(10_000))
    few, blocks = bytes_of(known), sys.getallocatedblocks()
    feed(range(10_000, 100_000))
    more_blocks = sys.getallocatedblocks() - blocks
    more = bytes_of(known) - few

    assert known.count == 100_000
    assert known.served["app"] == 100_000
    assert len(known.since(0)) == MOST
    assert known.since(0)[-1].id == "id-99999"
    shown = known.timeline.shown(AT + 100_000)
    assert len(shown["marks"]) <= MOST_MARKS
    assert len(shown["lives"]) <= MOST_MARKS
    assert more < 1_000_000
    # Nor does anybody else keep a thing of each.
    assert more_blocks < 45_000


def test_only_new_requests_are_told(known: Collector):
    """Those since a count, the oldest first; never more than are kept."""
    for number in range(5):
        known(exchanged(number))
    assert [each.id for each in known.since(3)] == ["id-3", "id-4"]
    assert known.since(5) == []
    assert len(known.since(-10)) == 5


def test_a_row_has_no_query():
    """Whatever the path was."""
    assert row(exchanged(path="/2.0/x?access_token=hush"))["path"] == "/2.0/x"


def test_the_story_of_a_healed_request(known: Collector):
    """Its steps, the 401 that it had, the renewal that it waited for, the replay."""
    known(renewed(AT - 50, token="old"))
    known(renewed(AT + 1, token="new", cause="rejected"))
    known(replayed(1))
    event = exchanged(
        1, token="new", rejected="old", replayed=True, challenge="invalid_token"
    )
    known(event)

    found = story(known)

    assert [step["stage"] for step in found["steps"]][-1] == "its own credential"
    assert found["steps"][-1]["last"] is True
    assert found["rejected"] == "old"
    assert found["challenge"] == "invalid_token"
    assert found["renewal"]["cause"] == "rejected"
    assert found["renewal"]["token"] == "new"
    assert found["replay"] == {
        "at": AT + 1,
        "status": 200,
        "ms": 50.0,
        "learned": False,
    }
    assert found["failure"] is None


def test_the_story_of_a_refused_request(known: Collector):
    """Refused for want of a token: the renewal that failed is why, not another's."""
    known(failed(AT - 1000, message="long ago"))
    known(failed(AT, message="just now"))
    known(failed(AT, profile="other", message="another profile's"))
    event = exchanged(
        1, verdict="refuse", code="token_endpoint_unavailable", token="", status=503
    )
    known(event)

    assert story(known)["failure"]["message"] == "just now"
    assert story(known)["renewal"] is None


def test_a_request_that_went_well_has_no_failure(known: Collector):
    """However badly renewals do beside it."""
    known(failed(AT))
    known(exchanged(1))
    assert story(known)["failure"] is None


def test_the_lives_of_tokens(known: Collector):
    """Replaced in time, by a 401, and revoked: each ends when and as it did."""
    known(renewed(AT, token="one"))
    known(renewed(AT + 100, token="two", cause="timer"))
    known(renewed(AT + 200, token="three", cause="rejected"))
    known(exchanged(201, rejected="two", replayed=True, token="three"))
    known(TokensDeleted(AT + 300, "app", revoked=True))

    lives = known.timeline.shown(AT + 300)["lives"]

    assert [(x["token"], x["ended_at"], x["end"]) for x in lives] == [
        ("one", AT + 100, "replaced"),
        ("two", AT + 200, "rejected"),
        ("three", AT + 300, "revoked"),
    ]
    assert lives[0]["stale_at"] == AT + 3600 - 300
    kinds = [mark["kind"] for mark in known.timeline.shown(AT + 300)["marks"]]
    assert kinds == ["renewed", "renewed", "renewed", "rejected", "revoked"]


def test_a_life_that_ended_by_itself_was_not_replaced(known: Collector):
    """A token that was over when the next came has no end but its own."""
    known(renewed(AT, token="one"))
    known(renewed(AT + 9000, token="two"))
    first, _ = known.timeline.shown(AT + 9000)["lives"]
    assert (first["ended_at"], first["end"]) == (None, "")


def test_one_profile_does_not_end_the_token_of_another(known: Collector):
    """Each has a line of its own."""
    known(renewed(AT, profile="a", token="one"))
    known(renewed(AT + 1, profile="b", token="two"))
    known(TokensDeleted(AT + 2, "b", revoked=False))
    first, second = known.timeline.shown(AT + 9)["lives"]
    assert first["end"] == ""
    assert second["end"] == "revoked"


def test_the_timeline_ends_twelve_hours_ago(known: Collector):
    """What was over by then is not shown."""
    known(renewed(AT, token="one"))
    known(renewed(AT + SHOWN + 7200, token="two"))
    shown = known.timeline.shown(AT + SHOWN + 7200)
    assert [each["token"] for each in shown["lives"]] == ["two"]
    assert len(shown["marks"]) == 1


def test_a_clients_redeem_counts_as_a_renewal_where_it_was_saved(known: Collector):
    """Else it is a failure."""
    known(ClientRedeemed(AT, "app", "saved", "a client did", "", "new", AT + 9))
    known(ClientRedeemed(AT, "app", "old", "a client did", "hint"))
    marks = known.timeline.shown(AT)["marks"]
    assert [each["kind"] for each in marks] == ["renewed", "failed"]


def test_a_default_and_a_configuration_make_profiles_look_different(known: Collector):
    """Each of these counts as a change, and the last configuration is kept."""
    known(DefaultChosen(AT, "app"))
    known(ConfigurationChanged(AT, "x"))
    known.lose(3)
    assert known.configuration is not None
    assert known.lost == 3
    assert known.changes == 3
