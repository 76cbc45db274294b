"""What the benchmark makes of its measurements."""

from __future__ import annotations

from benchmark.figures import Column, Section, median, ratio, times
from benchmark.load import percentile


def test_ratio_is_of_the_same_round():
    """A round in which the whole machine was slow changes no ratio."""
    ours, theirs = [200.0, 20.0, 200.0], [100.0, 10.0, 100.0]

    assert ratio(ours, theirs) == 2.0


def test_what_was_not_measured_stays_unknown():
    """One unknown value makes the median unknown, and the ratio."""
    assert median([1.0, None, 3.0]) is None
    assert median([]) is None
    assert ratio([1.0, None], [1.0, 1.0]) is None


def test_percentile_is_a_value_that_occurred():
    """The 99th percentile of a few values is the largest of them."""
    values = [1.0, 2.0, 3.0]

    assert percentile(values, 0.5) == 2.0
    assert percentile(values, 0.99) == 3.0
    assert percentile([1.0], 0.99) == 1.0


def test_table_shows_what_is_unknown_and_what_failed():
    """An unknown value is a dash; failures stand below the table."""
    section = Section(
        "a title",
        (Column("name"), Column("ratio", times)),
        [["bare", 1.0], ["a longer name", None]],
        notes=["not measured: x: not installed"],
        failures=["y: not 200"],
    )

    assert section.lines() == [
        "a title",
        "name            ratio",
        "bare           1.00 x",
        "a longer name       -",
        "not measured: x: not installed",
        "FAILED y: not 200",
    ]
    assert section.json()["rows"][1] == {"name": "a longer name", "ratio": None}
