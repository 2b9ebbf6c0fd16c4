"""Dates and times as people read them, in the time zone that they have."""

import time
from datetime import UTC, date, datetime, timedelta, tzinfo

from tracking.statistics.ranges import Interval, Length


def day(value: date, *, with_year: bool = False) -> str:
    """`5 Nov`, or `5 Nov 2026`."""
    return f"{value.day} {value:%b %Y}" if with_year else f"{value.day} {value:%b}"


def days(start: date, end: date) -> str:
    """From one day to another: `29 Oct – 25 Nov`, `1 – 28 Oct`, `1 Dec 2025 – 26 Nov 2026`."""
    if start == end:
        return day(end)
    if start.year != end.year:
        return f"{day(start, with_year=True)} – {day(end, with_year=True)}"
    if start.month == end.month:
        return f"{start.day} – {day(end)}"
    return f"{day(start)} – {day(end)}"


def short(moment: datetime, length: Length) -> str:
    """An interval below a chart: `14:00`, `5 Nov`, `Nov 26`."""
    match length:
        case Length.HOUR:
            return f"{moment:%H:%M}"
        case Length.MONTH:
            return f"{moment:%b %y}"
        case _:
            return day(moment)


def full(interval: Interval, length: Length) -> str:
    """An interval in a sentence: `Tuesday 17 November`, `17 November, 14:00`."""
    start = interval.start
    match length:
        case Length.HOUR:
            return f"{start.day} {start:%B}, {start:%H:%M}"
        case Length.DAY:
            return f"{start:%A} {start.day} {start:%B}"
        case Length.WEEK:
            last = interval.end - timedelta(seconds=1)
            return days(start.date(), last.date())
        case Length.MONTH:
            return f"{start:%B %Y}"


def clock_time(moment: datetime, now: datetime) -> str:
    """`14:03:07`, with its day when that is not today."""
    clock = f"{moment:%H:%M:%S}"
    return clock if moment.date() == now.date() else f"{clock} on {day(moment)}"


def minute(moment: datetime) -> str:
    """`5 Nov 2026, 14:03`."""
    return f"{day(moment, with_year=True)}, {moment:%H:%M}"


def local(seconds: float, zone: tzinfo) -> datetime:
    """A point in time (seconds since the epoch) on a zone's clock."""
    return datetime.fromtimestamp(seconds, zone)


def ago(seconds: float) -> str:
    """How long ago a time was (seconds since the epoch): `just now`, `3 hours ago`."""
    passed = time.time() - seconds
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number = int(passed // length)
        if number >= 1:
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def utc_day(seconds: float) -> str:
    """A time (seconds since the epoch) by its day, UTC: `5 Nov 2026`."""
    return day(local(seconds, UTC), with_year=True)
