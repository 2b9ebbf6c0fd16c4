"""Ranges of days, and the intervals they fall into."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.clicks import SECONDS_PER_HOUR
from tracking.statistics.ranges import (
    Intervals,
    InvalidRangeError,
    Length,
    Range,
    Span,
    resolve,
)

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 26)
FIRST = date(2026, 3, 5)

PERIODS = {
    "": (date(2026, 10, 30), TODAY),
    "day": (TODAY, TODAY),
    "7d": (date(2026, 11, 20), TODAY),
    "28d": (date(2026, 10, 30), TODAY),
    "30d": (date(2026, 10, 28), TODAY),
    "91d": (date(2026, 8, 28), TODAY),
    "month": (date(2026, 11, 1), TODAY),
    "12mo": (date(2025, 12, 1), TODAY),
    "all": (FIRST, TODAY),
}


@pytest.mark.parametrize(("period", "days"), PERIODS.items(), ids=PERIODS)
def test_periods(period: str, days: tuple[date, date]) -> None:
    """A period's last day is today; the others are as many as its name says."""
    now = resolve(Span(period=period), TODAY, FIRST, BERLIN).now
    assert (now.start, now.end) == days


COMPARISONS = {
    "a week before": (
        Span(period="7d", compare="previous"),
        date(2026, 11, 13),
        date(2026, 11, 19),
    ),
    "dates": (
        Span(start="2026-03-01", end="2026-03-31", compare="previous"),
        date(2026, 1, 29),
        date(2026, 2, 28),
    ),
    "a year before": (Span(period="7d", compare="year"), date(2025, 11, 20), date(2025, 11, 26)),
    "a leap day": (
        Span(start="2024-02-29", end="2024-02-29", compare="year"),
        date(2023, 2, 28),
        date(2023, 2, 28),
    ),
}


@pytest.mark.parametrize(("span", "start", "end"), COMPARISONS.values(), ids=COMPARISONS)
def test_comparisons(span: Span, start: date, end: date) -> None:
    """What a range is compared with is as long, just before, or the same dates a year before."""
    before = resolve(span, TODAY, FIRST, BERLIN).before
    assert before == Range(start, end, BERLIN)


def test_all_has_nothing_to_compare() -> None:
    """The contract: `comparison` is null with `all`."""
    assert resolve(Span(period="all", compare="previous"), TODAY, FIRST, BERLIN).before is None


WRONG = {
    "a period that is none": (Span(period="week"), "period"),
    "a period and dates": (Span(period="7d", start="2026-01-01"), "period"),
    "an end alone": (Span(end="2026-01-01"), "start"),
    "no date": (Span(start="yesterday"), "start"),
    "a date in short": (Span(start="20260101"), "start"),
    "a week's date": (Span(start="2026-W01-1"), "start"),
    "the 30th of February": (Span(start="2026-01-01", end="2026-02-30"), "end"),
    "an end before the start": (Span(start="2026-02-01", end="2026-01-01"), "end"),
    "a start after today": (Span(start="2026-11-27"), "start"),
    "the year 1": (Span(start="0001-01-01"), "start"),
    "the year 9999": (Span(start="2026-01-01", end="9999-12-31"), "end"),
    "a comparison that is none": (Span(compare="never"), "compare"),
}


@pytest.mark.parametrize(("span", "parameter"), WRONG.values(), ids=WRONG)
def test_wrong_ranges(span: Span, parameter: str) -> None:
    """What can't be meant is an error that names the parameter."""
    with pytest.raises(InvalidRangeError) as error:
        resolve(span, TODAY, FIRST, BERLIN)
    assert error.value.parameter == parameter


INTERVALS = {
    "hours of a day that has 25": (
        *(date(2026, 10, 25), date(2026, 10, 25), Length.HOUR, 25),
        "2026-10-25T00:00:00+02:00",
        "2026-10-25T23:00:00+01:00",
    ),
    "hours of a day that has 23": (
        *(date(2026, 3, 29), date(2026, 3, 29), Length.HOUR, 23),
        "2026-03-29T00:00:00+01:00",
        "2026-03-29T23:00:00+02:00",
    ),
    "days": (
        *(date(2026, 10, 24), date(2026, 10, 26), Length.DAY, 3),
        "2026-10-24T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ),
    "days up to today": (
        *(date(2026, 11, 25), date(2026, 12, 24), Length.DAY, 2),
        "2026-11-25T00:00:00+01:00",
        "2026-11-26T00:00:00+01:00",
    ),
    "hours up to now": (
        *(TODAY, TODAY, Length.HOUR, 15),
        "2026-11-26T00:00:00+01:00",
        "2026-11-26T14:00:00+01:00",
    ),
    "weeks begin on Monday, the first with the range": (
        *(date(2026, 11, 4), date(2026, 11, 16), Length.WEEK, 3),
        "2026-11-04T00:00:00+01:00",
        "2026-11-16T00:00:00+01:00",
    ),
    "months": (
        *(date(2025, 12, 15), date(2026, 2, 1), Length.MONTH, 3),
        "2025-12-15T00:00:00+01:00",
        "2026-02-01T00:00:00+01:00",
    ),
    "a range that lies ahead": (date(2027, 1, 1), date(2027, 1, 2), Length.DAY, 0, "", ""),
}
NOW = datetime(2026, 11, 26, 14, 3, 7, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "end", "length", "number", "edges"),
    [(*row[:4], row[4:]) for row in INTERVALS.values()],
    ids=INTERVALS,
)
def test_intervals(
    start: date, end: date, length: Length, number: int, edges: tuple[str, str]
) -> None:
    """Intervals begin with the range and end with the one that now is in."""
    intervals = Intervals(Range(start, end, BERLIN), length, NOW)
    parts = intervals.window(0, 1000)
    assert len(intervals) == len(parts) == number
    if parts:
        assert (parts[0].start.isoformat(), parts[-1].start.isoformat()) == edges


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]


@given(
    start=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    days=st.integers(0, 400),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    length=st.sampled_from(Length),
    offset=st.integers(0, 30),
)
def test_no_hour_is_in_two_intervals_or_in_none(
    start: date, days: int, zone: ZoneInfo, length: Length, offset: int
) -> None:
    """Intervals lie side by side, and their hours are the range's, however the clocks change."""
    range_ = Range(start, date.fromordinal(start.toordinal() + days), zone)
    intervals = Intervals(range_, length, datetime(2100, 1, 1, tzinfo=UTC))
    parts = intervals.window(0, len(intervals))
    edges = [parts[0].first_hour, *(each.end_hour for each in parts)]
    assert edges == sorted(edges)
    assert [each.first_hour for each in parts[1:]] == edges[1:-1]
    assert (edges[0], edges[-1]) == (range_.whole.first_hour, range_.whole.end_hour)
    assert intervals.window(offset, 5) == parts[offset : offset + 5]


def test_an_hour_belongs_to_the_day_in_which_it_begins() -> None:
    """In India days begin at half past: the hour before midnight is yesterday's to its end."""
    day = Range(date(2026, 11, 26), date(2026, 11, 26), ZoneInfo("Asia/Kolkata")).whole
    midnight = datetime(2026, 11, 25, 18, 30, tzinfo=UTC).timestamp()
    assert day.first_hour * SECONDS_PER_HOUR == midnight + SECONDS_PER_HOUR / 2
