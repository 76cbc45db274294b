"""The three forms of a date in an HTTP field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.date import parse_http_date

NOW = datetime(2026, 7, 20, tzinfo=UTC).timestamp()
NOVEMBER_1994 = 784111777.0  # RFC 9110 §5.6.7's own example


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " \tSun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_all_three_forms_name_the_same_instant(text):
    """A recipient accepts IMF-fixdate, RFC 850 and asctime."""
    assert parse_http_date(text, now=NOW) == NOVEMBER_1994


@pytest.mark.parametrize(
    ("year", "now", "expected"),
    [("76", 2026, 2076), ("77", 2026, 1977), ("99", 2026, 1999), ("01", 1999, 2001)],
)
def test_two_digits_are_a_year_at_most_fifty_years_ahead(year, now, expected):
    """A year with two digits is the latest one within 50 years from now."""
    then = parse_http_date(
        f"Monday, 05-Jul-{year} 00:00:00 GMT",
        now=datetime(now, 7, 20, tzinfo=UTC).timestamp(),
    )
    assert then == datetime(expected, 7, 5, tzinfo=UTC).timestamp()


def test_a_leap_second_is_the_second_that_follows():
    """The sixtieth second is read, and no other beyond 59."""
    leap = parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now=NOW)
    assert leap == datetime(2017, 1, 1, tzinfo=UTC).timestamp()
    assert parse_http_date("Sat, 31 Dec 2016 23:59:61 GMT", now=NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Sun, 31 Feb 2026 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "2026-07-20T00:00:00Z",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text):
    """Anything else, impossible days included, is None."""
    assert parse_http_date(text, now=NOW) is None


@given(st.integers(-62_135_510_400, 253_402_128_000))
def test_every_second_survives_the_way_there_and_back(seconds):
    """What the standard library writes of the years 1 to 9999 is read back."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert parse_http_date(format_datetime(instant, usegmt=True), now=NOW) == seconds


@given(st.text())
def test_no_text_raises(text):
    """Whatever a server writes, the answer is a number or None."""
    assert isinstance(parse_http_date(text, now=NOW), float | None)
