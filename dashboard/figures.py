"""The figures of a range: cards, the chart, and what was not counted; of an event or a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from dashboard import dates
from dashboard.charts.line_chart import Point, line_chart
from tracking.database import Transaction
from tracking.organizers import Event
from tracking.statistics import reading
from tracking.statistics.ranges import (
    Intervals,
    InvalidRangeError,
    Length,
    Period,
    Range,
    Ranges,
    Span,
    resolve,
)
from tracking.statistics.reading import Count, Scope, Totals

_MAX_INTERVALS = 400
_NO_COMPARISON = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """How a number changed.

    Attributes:
        text: by how much, without a sign; "" = not at all, or from nothing.
        up: None = not at all.
        better: whether that is good; None = neither.
    """

    text: str
    up: bool | None
    better: bool | None


@dataclass(frozen=True, slots=True)
class Card:
    """A word, a number, how it changed, and what it was before."""

    word: str
    number: str
    change: Change | None
    before: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What a screen shows of a range, and of the one before.

    Attributes:
        ever: what there was of all time, when this was read.
        until: up to when clicks are in these numbers; None = no flusher ever ran.
    """

    ranges: Ranges
    length: Length
    totals: Totals
    before: Totals | None
    ever: Totals
    points: Sequence[Point]
    counts: Sequence[Count]
    until: datetime | None

    @property
    def chart(self) -> Markup:
        """Clicks over time."""
        return line_chart(self.points)

    @property
    def cards(self) -> list[Card]:
        """Clicks, orders, how many orders a hundred clicks bring, and what was not counted."""
        now, before = self.totals, self.before
        return [
            _card("Clicks", now.clicks, None if before is None else before.clicks),
            _card("Orders", now.orders, None if before is None else before.orders),
            _rate_card(now, before),
            _card(
                "Not counted",
                now.not_counted,
                None if before is None else before.not_counted,
                more_is_better=None,
            ),
        ]

    @property
    def is_open(self) -> bool:
        """Whether it changes with every click: its last interval is the one that now is in."""
        now = datetime.now(self.ranges.now.zone)
        return self.ranges.now.start <= now.date() <= self.ranges.now.end

    @property
    def stale_at(self) -> float:
        """When another interval begins, in seconds since the epoch."""
        return self.counts[-1].interval.end.timestamp() if self.counts else 0.0

    @property
    def until_text(self) -> str:
        """Up to when clicks are in these numbers, on the clock."""
        if self.until is None:
            return ""
        return dates.clock_time(self.until, datetime.now(self.until.tzinfo))

    @property
    def range_name(self) -> str:
        """Its days: `30 Oct – 26 Nov`."""
        return dates.days(self.ranges.now.start, self.ranges.now.end)

    @property
    def before_name(self) -> str:
        """The days before; "" = nothing is compared."""
        before = self.ranges.before
        return dates.days(before.start, before.end) if before else ""


def zone_of(event: Event) -> ZoneInfo:
    """The time zone of an event's days and hours."""
    return ZoneInfo(event.timezone)


async def read_ranges(connection: Transaction, event: Event, span: Span) -> Ranges:
    """The range that an address asks for; compared with the one before unless it says not to.

    Raises:
        InvalidRangeError: it can't be meant, or has too many parts to be drawn.
    """
    zone = zone_of(event)
    today = datetime.now(zone).date()
    first = await reading.first_click(connection, event)
    compare = {"": "previous", _NO_COMPARISON: ""}.get(span.compare, span.compare)
    asked = Span(span.period, span.start, span.end, compare)
    ranges = resolve(asked, today, first.date() if first else today, zone)
    if len(_intervals(ranges.now)) > _MAX_INTERVALS:
        raise InvalidRangeError("start", "Please choose a shorter time.")
    return ranges


async def read_figures(connection: Transaction, scope: Scope, ranges: Ranges) -> Figures:
    """Reads the figures of a range."""
    zone = ranges.now.zone
    intervals = _intervals(ranges.now)
    parts = intervals.window(0, _MAX_INTERVALS)
    counts = await reading.over_time(connection, scope, parts)
    counts_before: Sequence[Count] = ()
    before = None
    if ranges.before is not None:
        before = await reading.totals(connection, scope, ranges.before)
        earlier = Intervals(ranges.before, intervals.length, ranges.before.whole.end)
        counts_before = await reading.over_time(connection, scope, earlier.window(0, len(parts)))
    everything = ranges.period is Period.ALL
    until = await reading.counted_until(connection)
    ever = await reading.totals(connection, scope, None)
    now = datetime.now(zone)
    return Figures(
        ranges=ranges,
        length=intervals.length,
        totals=ever if everything else await reading.totals(connection, scope, ranges.now),
        before=before,
        ever=ever,
        points=_points(counts, counts_before, intervals.length, now),
        counts=[each for each in counts if each.interval.start <= now],
        until=None if until is None else datetime.fromtimestamp(until, zone),
    )


def _length(range: Range) -> Length:
    """Hours up to two days, then days, weeks and months."""
    if range.days <= 2:
        return Length.HOUR
    if range.days <= 100:
        return Length.DAY
    return Length.WEEK if range.days <= 400 else Length.MONTH


def _intervals(range: Range) -> Intervals:
    return Intervals(range, _length(range), range.whole.end - timedelta(microseconds=1))


def _points(
    counts: Sequence[Count], before: Sequence[Count], length: Length, now: datetime
) -> list[Point]:
    points = []
    for number, count in enumerate(counts):
        earlier = before[number] if number < len(before) else None
        points.append(
            Point(
                label=dates.short(count.interval.start, length),
                name=dates.full(count.interval, length),
                clicks=count.clicks if count.interval.start <= now else None,
                before=None if earlier is None else earlier.clicks,
                before_name="" if earlier is None else dates.full(earlier.interval, length),
            )
        )
    return points


def _card(word: str, now: int, before: int | None, *, more_is_better: bool | None = True) -> Card:
    change = None if before is None else _relative(now, before, more_is_better)
    said = "" if before is None else f"{before:,} before"
    return Card(word, f"{now:,}", change, said)


def _relative(now: int, before: int, more_is_better: bool | None) -> Change:
    if now == before:
        return Change("", None, None)
    up = now > before
    better = None if more_is_better is None else up is more_is_better
    if before == 0:
        return Change("new", up, better)
    return Change(f"{abs(now - before) * 100 / before:,.0f} %", up, better)


def _rate_card(now: Totals, before: Totals | None) -> Card:
    rate, former = _rate(now), None if before is None else _rate(before)
    change = None
    if rate is not None and former is not None:
        difference = round(rate, 1) - round(former, 1)
        up = difference > 0
        change = Change(f"{abs(difference):.1f}", up, up) if difference else Change("", None, None)
    said = "" if former is None else f"{former:.1f} before"
    number = "–" if rate is None else f"{rate:.1f}"
    return Card("Orders per 100 clicks", number, change, said)


def _rate(totals: Totals) -> float | None:
    return totals.orders * 100 / totals.clicks if totals.clicks else None
