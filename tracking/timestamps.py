"""Timestamps as text: as operators write them, and as the API shows them."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from tracking.errors import WaymarkError

_DURATION = re.compile(r"([0-9]{1,6})([hdw])")
_YEAR_10000 = 253_402_300_800  # in seconds since the epoch
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class InvalidTimestampError(WaymarkError):
    """Text that is no point in time, or none that can be meant; the text of the error says why."""


def format_timestamp(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC, without fractions: `2027-12-27T10:00:00Z`."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.isoformat().replace("+00:00", "Z")


def parse_timestamp(text: str, zone: tzinfo) -> float:
    """Reads a date, which stands for its midnight, or a date and time, in ISO 8601.

    Args:
        zone: of text that names none itself.

    Returns:
        Seconds since the epoch.

    Raises:
        InvalidTimestampError: it is neither, or not in the years 1970 to 9999.
    """
    try:
        seconds = _datetime(text, zone).timestamp()
    except (ValueError, OverflowError):
        raise InvalidTimestampError(
            f"{text!r} is no date or time, like 2027-12-27 or 2027-12-27T10:00"
        ) from None
    if not 0 <= seconds < _YEAR_10000:
        raise InvalidTimestampError(f"{text!r} is not in the years 1970 to 9999")
    return seconds


def parse_expiry(text: str, now: float) -> float:
    """Reads when something ends: a date, which counts in full, a time, or how long it lasts.

    Dates and times are in ISO 8601, and UTC unless they say otherwise; `12h`, `90d` and `4w` are so
    many hours, days and weeks from now on.

    Args:
        now: seconds since the epoch.

    Returns:
        Seconds since the epoch.

    Raises:
        InvalidTimestampError: it is none of these, not in the future, or beyond the year 9999.
    """
    try:
        end = _end(text, datetime.fromtimestamp(now, UTC))
    except OverflowError:
        end = _YEAR_10000
    except ValueError:
        raise InvalidTimestampError(
            f"{text!r} is no date, time or duration, like 2027-12-27, 2027-12-27T10:00Z or 90d"
        ) from None
    if end >= _YEAR_10000:
        raise InvalidTimestampError(f"{text!r} is too far away")
    if end <= now:
        raise InvalidTimestampError(f"{text!r} is past")
    return end


def _end(text: str, now: datetime) -> float:
    duration = _DURATION.fullmatch(text)
    if duration:
        return (now + int(duration[1]) * _UNITS[duration[2]]).timestamp()
    end = _datetime(text, UTC)
    return (end + timedelta(days=1) if _is_date(text) else end).timestamp()


def _datetime(text: str, zone: tzinfo) -> datetime:
    """Reads ISO 8601; a text that names no zone is in this one."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
