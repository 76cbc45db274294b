"""The date of an HTTP field."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_NAMES: Final = re.findall("...", "JanFebMarAprMayJunJulAugSepOctNovDec")
_MONTHS: Final = {name: number for number, name in enumerate(_NAMES, start=1)}
_MONTH: Final = f"(?P<month>{'|'.join(_NAMES)})"
_DAY: Final = r"(?P<day>[0-9]{2})"
_YEAR: Final = r"(?P<year>[0-9]{4})"
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# RFC 9110 §5.6.7: a recipient MUST accept all three. The day's name is not
# checked: it adds nothing that could be acted upon.
_FORMS: Final = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    rf"[A-Z][a-z]{{2}}, {_DAY} {_MONTH} {_YEAR} {_TIME} GMT",
    # RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    rf"[A-Z][a-z]{{5,8}}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    # asctime: Sun Nov  6 08:49:37 1994
    rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} {_YEAR}",
)
_PATTERNS: Final = tuple(map(re.compile, _FORMS))
_LEAP_SECOND: Final = 60
_SHORT_YEAR: Final = 2
_FUTURE_YEARS: Final = 50


def parse_http_date(text: str, *, now: float) -> float | None:
    """
    Return an HTTP-date (RFC 9110 §5.6.7) in seconds since the epoch.

    None for what is not one. `now` (same unit) only settles the century of a
    year with two digits.
    """
    text = text.strip(" \t")
    found = next(filter(None, (form.fullmatch(text) for form in _PATTERNS)), None)
    if found is None:
        return None
    second = int(found["second"])
    try:
        instant = datetime(
            _year(found["year"], now),
            _MONTHS[found["month"]],
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            0 if second == _LEAP_SECOND else second,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    # datetime knows no leap second; it is the one that follows.
    leap = timedelta(seconds=60 if second == _LEAP_SECOND else 0)
    return (instant - datetime(1970, 1, 1, tzinfo=UTC) + leap).total_seconds()


def _year(digits: str, now: float) -> int:
    if len(digits) > _SHORT_YEAR:
        return int(digits)
    # RFC 9110 §5.6.7: one that appears to be more than 50 years in the future
    # is the most recent past year with the same last two digits.
    latest = datetime.fromtimestamp(now, UTC).year + _FUTURE_YEARS
    return latest - (latest - int(digits)) % 100
