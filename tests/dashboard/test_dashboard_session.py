"""One-time links, and the sessions that they begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.dashboard.session import (
    SESSION_LIFE,
    TICKET_LIFE,
    Keys,
    Sessions,
    make_ticket,
)
from everbearer.secret import Secret

KEYS = Keys(ticket=Secret("t" * 64), session=Secret("s" * 64))
NOW = 1_793_000_000.0
A, B = b"a" * 18, b"b" * 18


@pytest.fixture
def sessions() -> Sessions:
    """Give the sessions of an instance that began a while ago."""
    return Sessions(KEYS, NOW - 1000)


def ticket(now: float = NOW, nonce: bytes = A, key: Secret = KEYS.ticket) -> str:
    """Return what the command makes."""
    return make_ticket(key, now, nonce).reveal()


def test_a_ticket_is_good_once(sessions: Sessions):
    """It begins a session, and another ticket another one; neither does so again."""
    first = sessions.enter(ticket(), NOW, A)
    second = sessions.enter(ticket(nonce=B), NOW, B)

    assert first is not None
    assert second is not None
    assert first != second
    assert sessions.knows(first.reveal(), NOW)
    assert sessions.knows(second.reveal(), NOW)
    assert sessions.enter(ticket(), NOW + 1, B) is None
    assert sessions.enter(ticket(nonce=B), NOW + 1, B) is None


def test_a_ticket_is_good_for_a_minute(sessions: Sessions):
    """Not later, and not long before it is made."""
    assert sessions.enter(ticket(), NOW + TICKET_LIFE + 0.1, A) is None
    assert sessions.enter(ticket(), NOW - 5, A) is None
    assert sessions.enter(ticket(), NOW + TICKET_LIFE - 0.1, A) is not None


def test_to_look_at_a_ticket_does_not_use_it(sessions: Sessions):
    """It is good until it is entered with, and told of as it is."""
    assert sessions.takes(ticket(), NOW)
    assert sessions.takes(ticket(), NOW)
    assert not sessions.takes(ticket(), NOW + TICKET_LIFE + 0.1)
    assert not sessions.takes(ticket(key=KEYS.session), NOW)
    assert sessions.enter(ticket(), NOW, A) is not None
    assert not sessions.takes(ticket(), NOW)


def test_a_ticket_is_used_still_when_it_is_about_to_end(sessions: Sessions):
    """What is forgotten of used ones is what is too old by then."""
    assert sessions.enter(ticket(), NOW, A)
    for later in (1, 30, 59, 59.9, 60, 61.1, 3600):
        sessions.enter(ticket(now=NOW + later, nonce=B), NOW + later, B)
        assert sessions.enter(ticket(), NOW + later, A) is None


def test_a_worker_that_begins_takes_no_ticket_of_the_one_before():
    """It cannot know which were used; but it knows the sessions that were begun."""
    before, after = Sessions(KEYS, NOW - 10), Sessions(KEYS, NOW + 1)
    cookie = before.enter(ticket(), NOW, A)

    assert after.enter(ticket(), NOW + 2, B) is None
    assert cookie is not None
    assert after.knows(cookie.reveal(), NOW + 2)
    assert after.enter(ticket(now=NOW + 1), NOW + 2, B) is not None


def test_a_session_ends(sessions: Sessions):
    """After its life, and it had not begun before it did."""
    cookie = sessions.enter(ticket(), NOW, A)
    assert cookie is not None

    assert sessions.knows(cookie.reveal(), NOW + SESSION_LIFE - 1)
    assert not sessions.knows(cookie.reveal(), NOW + SESSION_LIFE + 1)
    assert not sessions.knows(cookie.reveal(), NOW - 10)


def test_each_instance_has_its_own(sessions: Sessions):
    """Neither tickets nor cookies of another one are worth anything."""
    keys = Keys(ticket=Secret("x" * 64), session=Secret("y" * 64))
    other = Sessions(keys, NOW - 1000)
    foreign = other.enter(ticket(key=keys.ticket), NOW, A)

    assert foreign is not None
    assert not sessions.knows(foreign.reveal(), NOW)
    assert sessions.enter(ticket(key=keys.ticket), NOW, A) is None


def test_a_ticket_is_no_cookie_and_a_cookie_no_ticket():
    """Not even where both keys were one: what each is for is under its MAC."""
    one = Keys(ticket=Secret("k" * 64), session=Secret("k" * 64))
    sessions = Sessions(one, NOW - 10)
    made = ticket(key=one.ticket)
    assert not sessions.knows(made, NOW)
    cookie = sessions.enter(made, NOW, B)
    assert cookie is not None
    assert sessions.enter(cookie.reveal(), NOW, A) is None


@given(st.data())
def test_nothing_that_was_changed_is_taken(data: st.DataObject):
    """One character more, less or other, anywhere."""
    sessions = Sessions(KEYS, NOW - 1000)
    made = ticket()
    cookie = sessions.enter(ticket(nonce=B), NOW, B)
    assert cookie is not None
    text = data.draw(st.sampled_from([made, cookie.reveal()]))
    at = data.draw(st.integers(0, len(text) - 1))
    char = data.draw(st.characters())
    changed = text[:at] + data.draw(st.sampled_from(["", char])) + text[at + 1 :]
    if changed != text:
        assert sessions.enter(changed, NOW, A) is None
        assert not sessions.knows(changed, NOW)


@given(st.text())
def test_nonsense_is_not_taken(text: str):
    """Whatever somebody writes there."""
    sessions = Sessions(KEYS, NOW - 1000)
    assert sessions.enter(text, NOW, A) is None
    assert not sessions.knows(text, NOW)
