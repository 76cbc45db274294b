"""Who has to go where there are too many connections, and who never has to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.dashboard.visitors import Visitors

MOST = 4

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("come", "wait", "ask", "let_in", "leave")), st.integers(0, 9)
    )
)


@pytest.fixture
def visitors() -> Visitors[str]:
    """Give room for four, and nobody there."""
    return Visitors(MOST)


def full(visitors: Visitors[str]) -> None:
    """Have four come."""
    for each in "abcd":
        assert visitors.come(each) is None


def test_the_oldest_goes_for_the_newest(visitors: Visitors[str]):
    """Of those who wait, again and again."""
    full(visitors)
    assert [visitors.come(each) for each in "efghi"] == list("abcde")


def test_who_waits_again_is_new_again(visitors: Visitors[str]):
    """A connection that is used stays longer than one that only came later."""
    full(visitors)
    visitors.ask("a")
    visitors.wait("a")
    assert [visitors.come(each) for each in "efgh"] == list("bcda")


def test_the_owner_is_never_sent_away_for_others(visitors: Visitors[str]):
    """While what a session has asked for is answered, whoever comes meanwhile."""
    full(visitors)
    visitors.let_in("a")
    visitors.let_in("b")
    visitors.ask("c")
    assert "a" not in (gone := [visitors.come(str(each)) for each in range(99)])
    assert "b" not in gone


def test_who_is_being_answered_outlasts_those_who_only_connect(
    visitors: Visitors[str],
):
    """A supervisor's question is answered in a flood of idle connections."""
    full(visitors)
    visitors.ask("d")
    assert "d" not in [visitors.come(str(each)) for each in range(99)]


def test_answers_that_nobody_reads_leave_room(visitors: Visitors[str]):
    """Were they to stay, all newcomers would push each other out."""
    full(visitors)
    for each in "abcd":
        visitors.ask(each)
    assert visitors.come("e") == "a"
    assert visitors.come("f") == "b"
    assert visitors.come("g") == "e"


def test_with_none_but_the_owner_the_newest_has_to_go(visitors: Visitors[str]):
    """The number holds for him too."""
    full(visitors)
    for each in "abcd":
        visitors.let_in(each)
    assert visitors.come("e") == "e"
    visitors.leave("a")
    assert visitors.come("e") is None


def test_who_has_gone_stays_so(visitors: Visitors[str]):
    """What it had begun goes on for a moment, and brings it back into no crowd."""
    full(visitors)
    assert visitors.come("e") == "a"
    visitors.ask("a")
    visitors.let_in("a")
    visitors.leave("b")
    assert visitors.come("f") is None
    assert visitors.come("g") == "c"


@given(STEPS)
def test_there_are_never_more(steps: list[tuple[str, int]]):
    """Than so many, whatever they do; and only they have to go, or who comes."""
    visitors, here = Visitors[int](MOST), set[int]()
    for step, one in steps:
        if step != "come":
            getattr(visitors, step)(one)
            here -= {one} if step == "leave" else set()
        elif one not in here:
            gone = visitors.come(one)
            assert (gone is None) == (len(here) < MOST)
            assert gone is None or gone in here | {one}
            here = (here | {one}) - {gone}
