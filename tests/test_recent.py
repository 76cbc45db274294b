"""Bounded memory: what was set longest ago is forgotten first."""

from __future__ import annotations

from everbearer.recent import Recent


def test_the_oldest_goes():
    """Beyond the limit the key that was set longest ago is gone."""
    known = Recent[str, int](2)
    for number, key in enumerate("abc"):
        known[key] = number

    assert dict(known) == {"b": 1, "c": 2}


def test_setting_again_makes_it_new():
    """A key that is set once more outlives those set since."""
    known = Recent[str, int](2)
    for key in "abac":
        known[key] = 0

    assert set(known) == {"a", "c"}
