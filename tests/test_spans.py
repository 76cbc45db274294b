"""Time spans in words."""

import math

import pytest

from everbearer.spans import duration, left


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599.98, "60 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (60 * 86400, "60 d"),
        (math.inf, "an unknown time"),
    ],
)
def test_a_time_span_is_said_in_its_largest_useful_unit(seconds, said):
    """Time spans have one unit, and an end that nobody knows is not for ever."""
    assert duration(seconds) == said


def test_what_has_no_known_end_is_not_said_to_be_over():
    """A developer token lives on, a token that is over has nothing left."""
    assert left(math.inf) == "no known end"
    assert left(90) == "1 min left"
    assert left(-1) == "0 s left"
