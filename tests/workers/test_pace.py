"""A worker that fails at its start is not tried again and again at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everbearer.workers.pace import pause


def test_one_that_served_is_replaced_at_once():
    """However often others failed before it."""
    assert pause(5.0, 7) == (0.0, 0)


def test_pauses_grow_and_end_at_ten_seconds():
    """Who never was ready is waited for a little longer each time."""
    failures, pauses = 0, []
    for _ in range(9):
        delay, failures = pause(0.0, failures)
        pauses.append(delay)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


@given(served=st.floats(0, 1e9), failures=st.integers(0, 10**9))
def test_a_pause_is_never_long_and_never_negative(served: float, failures: int):
    """Whatever was counted."""
    delay, counted = pause(served, failures)
    assert 0 <= delay <= 10
    assert counted in {0, failures + 1}
