"""Where renewing does not help."""

from __future__ import annotations

from everbearer.proxy.hopeless import Hopeless, place


def test_a_hopeless_place_is_forgotten_after_five_minutes() -> None:
    """Same profile, method and path class: given back, for 5 minutes."""
    known = Hopeless()
    known.note_hopeless(place("dev", "get", "/2.0/files/123?fields=id"), "t2", 0.0)
    same = place("dev", "GET", "/2.0/files/456")
    assert known.hopeless(same, "t2", 299.0)
    assert not known.hopeless(place("dev", "PUT", "/2.0/files/456"), "t2", 1.0)
    assert not known.hopeless(place("prod", "GET", "/2.0/files/456"), "t2", 1.0)
    assert not known.hopeless(place("dev", "GET", "/2.0/folders/456"), "t2", 1.0)
    assert not known.hopeless(same, "t2", 300.0)


def test_a_hopeless_place_is_so_for_one_token() -> None:
    """Of a token that was not refused there nothing is known: it may be revoked."""
    known = Hopeless()
    where = place("dev", "GET", "/2.0/files/123")
    known.note_hopeless(where, "t2", 0.0)
    assert not known.hopeless(where, "t3", 1.0)
    assert known.hopeless(where, "t2", 1.0)


def test_hopeless_places_are_bounded() -> None:
    """The oldest of too many is forgotten."""
    known = Hopeless()
    places = [place("dev", "GET", f"/{'x' * n}") for n in range(1, 1200)]
    for where in places:
        known.note_hopeless(where, "t2", 0.0)
    assert not known.hopeless(places[0], "t2", 1.0)
    assert known.hopeless(places[-1], "t2", 1.0)
    assert sum(known.hopeless(where, "t2", 1.0) for where in places) == 1024


def test_a_token_that_was_revoked_at_once_is_renewed_after_a_second() -> None:
    """The server says the token is invalid: everywhere, and not for long."""
    known = Hopeless()
    known.note_stillborn("dev", "t2", 0.0)
    here, there = place("dev", "GET", "/2.0/users/me"), place("dev", "PUT", "/2.0/x")
    assert known.hopeless(here, "t2", 0.9)
    assert known.hopeless(there, "t2", 0.9)
    assert not known.hopeless(here, "t2", 1.0)
    assert not known.hopeless(here, "t3", 0.5)
    assert not known.hopeless(place("prod", "GET", "/2.0/users/me"), "t2", 0.5)


def test_tokens_that_die_one_after_the_other_are_renewed_ever_more_rarely() -> None:
    """At most one renewal a pause, and pauses grow to five minutes."""
    known, where, now, pauses = Hopeless(), place("dev", "GET", "/2.0/x"), 0.0, []
    for number in range(7):
        for _ in range(20):  # requests under way at the same time count as one
            known.note_stillborn("dev", f"t{number}", now)
        began = now
        while known.hopeless(where, f"t{number}", now):
            now += 0.5
        pauses.append(now - began)
    assert pauses == [1, 4, 16, 64, 256, 300, 300]
    known.note_stillborn("dev", "later", now + 301)
    assert not known.hopeless(where, "later", now + 302)


def test_a_token_that_was_accepted_ends_the_growth_of_pauses() -> None:
    """The next unlucky token is renewed after a second again."""
    known, where = Hopeless(), place("dev", "GET", "/2.0/x")
    known.note_stillborn("dev", "t1", 0.0)
    known.note_accepted("dev", "t1")  # a late answer of the same proves nothing
    known.note_stillborn("dev", "t2", 1.0)
    assert known.hopeless(where, "t2", 4.0)
    known.note_accepted("dev", "t3")
    known.note_stillborn("dev", "t4", 10.0)
    assert known.hopeless(where, "t4", 10.5)
    assert not known.hopeless(where, "t4", 11.0)
