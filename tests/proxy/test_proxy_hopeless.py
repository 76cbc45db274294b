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
