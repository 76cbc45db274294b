"""Refresh tokens that nobody uses."""

from everbearer.oauth.refresh_life import ends_soon, is_due

DAY = 86400.0


def test_box_grants_are_renewed_after_45_of_60_days():
    """A quarter of the life is left when it is time."""
    assert not is_due(1000.0, 60 * DAY, 999.0 + 45 * DAY)
    assert is_due(1000.0, 60 * DAY, 1000.0 + 45 * DAY)


def test_an_age_that_no_clock_can_tell_is_renewed():
    """One that is issued in the future; less than a day is what clocks differ by."""
    assert is_due(1000.0 + 365 * DAY, 60 * DAY, 1000.0)
    assert not is_due(1000.0 + DAY, 60 * DAY, 1000.0)


def test_people_are_warned_from_14_days_on():
    """Not a second earlier, and after the end as well."""
    assert not ends_soon(100 * DAY, 86 * DAY - 1)
    assert ends_soon(100 * DAY, 86 * DAY)
    assert ends_soon(100 * DAY, 101 * DAY)
