"""Points in time as text: which are one, and which."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tracking.timestamps import (
    InvalidTimestampError,
    format_timestamp,
    parse_expiry,
    parse_timestamp,
)

# 2026-11-26T12:00:00Z
NOW = 1_795_694_400.0
BERLIN = ZoneInfo("Europe/Berlin")

TIMESTAMPS = {
    "a date is its midnight": ("2027-12-27", "2027-12-26T23:00:00Z"),
    "a time": ("2027-12-27T10:00", "2027-12-27T09:00:00Z"),
    "a time in summer": ("2027-06-27T10:00:30", "2027-06-27T08:00:30Z"),
    "a time with a space": ("2027-12-27 10:00", "2027-12-27T09:00:00Z"),
    "in UTC": ("2027-12-27T10:00:00Z", "2027-12-27T10:00:00Z"),
    "in another zone": ("2027-12-27T10:00-05:00", "2027-12-27T15:00:00Z"),
    "the first": ("1970-01-01T00:00Z", "1970-01-01T00:00:00Z"),
    "the last": ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
}
NO_TIMESTAMPS = {
    "empty": "",
    "words": "next year",
    "a day that is not": "2027-02-29",
    "a date of another form": "27.12.2027",
    "a duration": "90d",
    "before the epoch": "1969-12-31T23:59:59Z",
    "beyond what can be said in UTC": "9999-12-31T23:59:59-10:00",
}

EXPIRIES = {
    "that day is the last": ("2026-11-27", "2026-11-28T00:00:00Z"),
    "today is the last": ("2026-11-26", "2026-11-27T00:00:00Z"),
    "a time": ("2026-11-26T12:00:01", "2026-11-26T12:00:01Z"),
    "a time in a zone": ("2026-11-26T12:30:00+00:15", "2026-11-26T12:15:00Z"),
    "hours": ("12h", "2026-11-27T00:00:00Z"),
    "days": ("90d", "2027-02-24T12:00:00Z"),
    "weeks": ("4w", "2026-12-24T12:00:00Z"),
}
NO_EXPIRIES = {
    "empty": ("", "is no date, time or duration"),
    "words": ("never", "is no date, time or duration"),
    "no unit": ("90", "is no date, time or duration"),
    "another unit": ("90y", "is no date, time or duration"),
    "another script's digits": ("٩d", "is no date, time or duration"),
    "backwards": ("-1d", "is no date, time or duration"),
    "yesterday": ("2026-11-25", "is past"),
    "now": ("2026-11-26T12:00:00Z", "is past"),
    "no time at all": ("0d", "is past"),
    "the last day of all": ("9999-12-31", "is too far away"),
    "beyond it in UTC": ("9999-12-31T23:59:59-10:00", "is too far away"),
    "thousands of years": ("999999w", "is too far away"),
}


@pytest.mark.parametrize(("text", "time"), TIMESTAMPS.values(), ids=TIMESTAMPS)
def test_a_timestamp_is_parsed(text: str, time: str) -> None:
    """What names no zone is in the one that is given."""
    assert format_timestamp(parse_timestamp(text, BERLIN)) == time


@pytest.mark.parametrize("text", NO_TIMESTAMPS.values(), ids=NO_TIMESTAMPS)
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    """The error shows what was given."""
    with pytest.raises(InvalidTimestampError, match=r"^'"):
        parse_timestamp(text, UTC)


@pytest.mark.parametrize(("text", "end"), EXPIRIES.values(), ids=EXPIRIES)
def test_an_expiry_is_parsed(text: str, end: str) -> None:
    """A date counts in full, a duration begins now."""
    assert format_timestamp(NOW) == "2026-11-26T12:00:00Z"
    assert format_timestamp(parse_expiry(text, NOW)) == end


@pytest.mark.parametrize(("text", "said"), NO_EXPIRIES.values(), ids=NO_EXPIRIES)
def test_what_is_no_expiry_is_refused(text: str, said: str) -> None:
    """What is past already, too."""
    with pytest.raises(InvalidTimestampError, match=said):
        parse_expiry(text, NOW)


def test_fractions_are_not_shown() -> None:
    """Neither those of a second, nor is the second rounded up."""
    time = datetime(2027, 12, 27, 10, 0, 0, 999_999, tzinfo=UTC)
    assert format_timestamp(time.timestamp()) == "2027-12-27T10:00:00Z"
