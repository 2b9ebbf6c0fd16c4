"""Conditional GET (the contract, "Conditional GET"; RFC 9110, section 13)."""

import time
from datetime import UTC, datetime
from email.utils import formatdate

from starlette.datastructures import Headers
from starlette.responses import Response

# RFC 9110, section 5.6.7: the form of today, and the two obsolete ones that must be read as well.
_RFC_850 = "%A, %d-%b-%y %H:%M:%S GMT"
_FORMS = ("%a, %d %b %Y %H:%M:%S GMT", _RFC_850, "%a %b %d %H:%M:%S %Y")
_CENTURY = 100
_FAR_YEARS = 50


def dated(mark: int | None) -> dict[str, str]:
    """The headers that tell a client now, and the mark of what it gets.

    A mark that runs ahead of the clock is not told: `Last-Modified` is never later than `Date` (RFC
    9110, section 8.8.2.1). Who got none, asks without a condition; and as no earlier date stands
    for what was sent, nothing that changes afterwards is missed.

    Args:
        mark: seconds since the epoch (tracking/marks.py); None = nothing was ever written.
    """
    now = int(time.time())
    headers = {"Date": formatdate(now, usegmt=True)}
    if mark is not None and mark <= now:
        headers["Last-Modified"] = formatdate(mark, usegmt=True)
    return headers


def unsent(headers: Headers, mark: int | None) -> Response | None:
    """The answer to a GET or HEAD that a condition of the client's ends: 304 or 412, empty.

    Conditions on a mark that does not exist, on a date that is none, or beside a condition on an
    entity tag are ignored, as RFC 9110 says (sections 13.1.3 and 13.1.4).

    Returns:
        None when the list is to be sent.
    """
    if mark is None:
        return None
    unmodified_since = _date(headers, "If-Unmodified-Since", unless="If-Match")
    if unmodified_since is not None and mark > unmodified_since:
        return Response(status_code=412, headers=dated(mark))
    modified_since = _date(headers, "If-Modified-Since", unless="If-None-Match")
    if modified_since is not None and mark <= modified_since:
        return Response(status_code=304, headers=dated(mark))
    return None


def _date(headers: Headers, name: str, unless: str) -> int | None:
    """The header's date, in seconds since the epoch; None when it doesn't count."""
    values = headers.getlist(name)
    if len(values) != 1 or unless in headers:
        return None
    for form in _FORMS:
        try:
            moment = datetime.strptime(values[0], form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int((_nearest(moment) if form == _RFC_850 else moment).timestamp())
    return None


def _nearest(moment: datetime) -> datetime:
    """The date with two digits of a year, at most 50 years ahead."""
    this_year = datetime.now(UTC).year
    year = this_year - this_year % _CENTURY + moment.year % _CENTURY
    if year > this_year + _FAR_YEARS:
        year -= _CENTURY
    try:
        return moment.replace(year=year)
    except ValueError:  # 29 February of a year that has none: the day after the 28th
        return moment.replace(year=year, month=3, day=1)
