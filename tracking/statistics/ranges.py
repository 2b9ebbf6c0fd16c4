"""Ranges of an event's days, and the intervals that they fall into.

Days and hours are those of the event's time zone. Clicks are kept by whole hours UTC: such an hour
belongs to the day, and to the interval, in which it begins. In zones that are half an hour off,
half an hour of clicks so stands one interval earlier than it was; none is lost or counted twice.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from tracking.clicks import SECONDS_PER_HOUR, Hour
from tracking.errors import WaymarkError

Choice = TypeVar("Choice", bound=StrEnum)

_DAY = timedelta(days=1)
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Beyond these a range has more intervals than anybody can mean.
_YEARS = range(1970, 3000)


class InvalidRangeError(WaymarkError):
    """A range that can't be meant.

    Args:
        parameter: which of `period`, `start`, `end`, `compare`, `interval` is wrong.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class Period(StrEnum):
    """A range that is named by its length: its last day is today.

    Attributes:
        DAY: today.
        WEEK, FOUR_WEEKS, THIRTY_DAYS, QUARTER: so many days.
        MONTH: since the month's first.
        YEAR: this month and the eleven before.
        ALL: since the event's first click.
    """

    DAY = "day"
    WEEK = "7d"
    FOUR_WEEKS = "28d"
    THIRTY_DAYS = "30d"
    QUARTER = "91d"
    MONTH = "month"
    YEAR = "12mo"
    ALL = "all"


_DAYS = {
    Period.DAY: 1,
    Period.WEEK: 7,
    Period.FOUR_WEEKS: 28,
    Period.THIRTY_DAYS: 30,
    Period.QUARTER: 91,
}


class Comparison(StrEnum):
    """What a range is compared with.

    Attributes:
        PREVIOUS: as many days, just before.
        YEAR: the same dates, a year before.
    """

    PREVIOUS = "previous"
    YEAR = "year"


class Length(StrEnum):
    """How long an interval is. Weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of a range.

    Attributes:
        start: with the time zone's offset.
        end: when the next begins, likewise.
    """

    start: datetime
    end: datetime

    @property
    def first_hour(self) -> Hour:
        """The first hour that begins in it."""
        return _hour_from(self.start)

    @property
    def end_hour(self) -> Hour:
        """The first hour that begins after it."""
        return _hour_from(self.end)


@dataclass(frozen=True, slots=True)
class Range:
    """Days of a time zone, `start` to `end`, both included."""

    start: date
    end: date
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days + 1

    @property
    def whole(self) -> Interval:
        """All of it."""
        return Interval(_midnight(self.start, self.zone), _midnight(self.end + _DAY, self.zone))

    @property
    def length(self) -> Length:
        """How long its intervals are, unless a client says (the contract, "Statistics")."""
        return Length.HOUR if self.days <= 2 else Length.DAY

    def before(self, comparison: Comparison) -> "Range":
        """The range that it is compared with."""
        if comparison is Comparison.YEAR:
            return Range(_year_before(self.start), _year_before(self.end), self.zone)
        length = timedelta(days=self.days)
        return Range(self.start - length, self.end - length, self.zone)


@dataclass(frozen=True, slots=True)
class Intervals:
    """The parts of a range, without gaps: the first begins when the range does.

    Attributes:
        until: a point in time; the last is the one that holds it, or the range's last.
    """

    range: Range
    length: Length
    until: datetime

    def __len__(self) -> int:
        end = min(self.until, self.range.whole.end - timedelta(microseconds=1))
        begin = self.range.whole.start
        if end.timestamp() < begin.timestamp():
            return 0
        if self.length is Length.HOUR:
            return int((end.timestamp() - begin.timestamp()) // SECONDS_PER_HOUR) + 1
        return self._ordinal(end.astimezone(self.range.zone).date()) + 1

    def window(self, offset: int, limit: int) -> list[Interval]:
        """Those from `offset` (counted from 0) on, `limit` at most."""
        numbers = range(offset, min(offset + limit, len(self)))
        end = self.range.whole.end
        return [
            Interval(self._start(n), min(self._start(n + 1), end, key=datetime.timestamp))
            for n in numbers
        ]

    def _start(self, number: int) -> datetime:
        """When the interval with this number begins."""
        first, zone = self.range.start, self.range.zone
        if self.length is Length.HOUR:
            seconds = self.range.whole.start.timestamp() + number * SECONDS_PER_HOUR
            return datetime.fromtimestamp(seconds, zone)
        if number == 0 or self.length is Length.DAY:
            return _midnight(first + number * _DAY, zone)
        if self.length is Length.WEEK:
            return _midnight(first - first.weekday() * _DAY + number * 7 * _DAY, zone)
        months = first.year * 12 + first.month - 1 + number
        return _midnight(date(months // 12, months % 12 + 1, 1), zone)

    def _ordinal(self, day: date) -> int:
        """The number of the interval that a day falls into."""
        first = self.range.start
        if self.length is Length.DAY:
            return (day - first).days
        if self.length is Length.WEEK:
            return ((day - first).days + first.weekday()) // 7
        return (day.year - first.year) * 12 + day.month - first.month


@dataclass(frozen=True, slots=True)
class Span:
    """What a client asked for, as text: a period's name, or dates.

    Attributes:
        period: "" = `28d`, or none where there are dates.
        start, end: `YYYY-MM-DD`, both included; "" = none, as an end: today.
        compare: "" = with nothing.
    """

    period: str = ""
    start: str = ""
    end: str = ""
    compare: str = ""


@dataclass(frozen=True, slots=True)
class Ranges:
    """A range, and the one that it is compared with, if any."""

    now: Range
    before: Range | None
    period: Period | None


def resolve(span: Span, today: date, first: date, zone: ZoneInfo) -> Ranges:
    """Reads what a client asked for.

    Args:
        today: in the event's time zone.
        first: the day of the first click, with which `all` begins.

    Raises:
        InvalidRangeError: it can't be meant.
    """
    comparison = _choice(Comparison, "compare", span.compare) if span.compare else None
    if span.start or span.end:
        return _of_dates(span, today, zone, comparison)
    period = _choice(Period, "period", span.period) if span.period else Period.FOUR_WEEKS
    range = Range(_first_day(period, today, first), today, zone)
    if period is Period.ALL:
        comparison = None
    return Ranges(range, range.before(comparison) if comparison else None, period)


def read_length(text: str, range: Range) -> Length:
    """Reads how long the intervals are to be; "" = as long as suits the range.

    Raises:
        InvalidRangeError: it is no length.
    """
    return _choice(Length, "interval", text) if text else range.length


def _of_dates(span: Span, today: date, zone: ZoneInfo, comparison: Comparison | None) -> Ranges:
    if span.period:
        raise InvalidRangeError("period", "This can't be combined with start and end.")
    if not span.start:
        raise InvalidRangeError("start", "This is required with end.")
    start = _date("start", span.start)
    end = _date("end", span.end) if span.end else today
    if end < start:
        name = "end" if span.end else "start"
        raise InvalidRangeError(name, "The end is before the start.")
    range = Range(start, end, zone)
    return Ranges(range, range.before(comparison) if comparison else None, None)


def _first_day(period: Period, today: date, first: date) -> date:
    match period:
        case Period.ALL:
            return min(first, today)
        case Period.MONTH:
            return today.replace(day=1)
        case Period.YEAR:
            months = today.year * 12 + today.month - 12
            return date(months // 12, months % 12 + 1, 1)
        case _:
            return today - (_DAYS[period] - 1) * _DAY


def _date(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidRangeError(name, "A date like 2026-11-01 is required.")
    if not _YEARS.start <= day.year < _YEARS.stop:
        last = _YEARS.stop - 1
        raise InvalidRangeError(name, f"A year from {_YEARS.start} to {last} is required.")
    return day


def _choice(kind: type[Choice], name: str, text: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise InvalidRangeError(name, f"One of {', '.join(kind)} is required.") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _year_before(day: date) -> date:
    """The same date; the last of February for a leap day."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _hour_from(moment: datetime) -> Hour:
    """The first hour that begins then or later."""
    return Hour(-int(-moment.timestamp() // SECONDS_PER_HOUR))
