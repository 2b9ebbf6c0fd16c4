"""Clicks and orders of a range: in all, interval by interval, and by campaign.

Whoever shows a number reads it here, so that the same number is the same on every screen and in the
API. What is asked of a whole event is read from its own hours (`event_hours`), which are the sums
of its campaigns'; everything else from the campaigns' rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Select,
    Table,
    func,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import heartbeat
from tracking.clicks import SECONDS_PER_HOUR, Audience
from tracking.organizers import Event
from tracking.statistics.ranges import Interval, Range
from tracking.tables import campaigns, click_hours, event_hours, orders

_WEEK = range(7)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose clicks: an event's, or those of some of its campaigns.

    Attributes:
        only: these campaigns alone; None = all. Whatever is no campaign of the event's has none.
        without: these not.
    """

    event_id: int
    only: tuple[int, ...] | None = None
    without: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the event's."""
        return self.only is None and not self.without


@dataclass(frozen=True, slots=True)
class Totals:
    """Clicks by people, orders, and what was not counted among the clicks."""

    clicks: int
    orders: int
    bots: int
    prefetches: int
    embedded: int

    @property
    def not_counted(self) -> int:
        """What was answered, and is not among the clicks."""
        return self.bots + self.prefetches + self.embedded

    def of(self, audience: Audience) -> int:
        """The clicks of an audience."""
        return {
            Audience.HUMAN: self.clicks,
            Audience.BOT: self.bots,
            Audience.PREFETCH: self.prefetches,
            Audience.EMBEDDED: self.embedded,
        }[audience]


@dataclass(frozen=True, slots=True)
class Count:
    """What one interval had."""

    interval: Interval
    clicks: int
    orders: int


async def totals(connection: AsyncConnection, scope: Scope, range: Range | None) -> Totals:
    """What a range had in all.

    Args:
        range: None = whatever was ever counted, under whichever date.
    """
    source, condition = _source(scope)
    hour = source.c.hour
    conditions = [condition]
    ordered = [_orders_of(scope)]
    if range is not None:
        whole = range.whole
        conditions += [hour >= whole.first_hour, hour < whole.end_hour]
        ordered += attributed_within(whole)
    query = select(source.c.audience, func.sum(source.c.clicks)).where(*conditions)
    found = dict((await connection.execute(query.group_by(source.c.audience))).all())
    number = select(func.count()).select_from(orders).where(*ordered)
    return Totals(
        clicks=found.get(Audience.HUMAN, 0),
        orders=(await connection.execute(number)).scalar_one(),
        bots=found.get(Audience.BOT, 0),
        prefetches=found.get(Audience.PREFETCH, 0),
        embedded=found.get(Audience.EMBEDDED, 0),
    )


async def over_time(
    connection: AsyncConnection,
    scope: Scope,
    intervals: Sequence[Interval],
    audience: Audience = Audience.HUMAN,
) -> list[Count]:
    """What each of these intervals had, in their order."""
    clicks = await _by_number(connection, _clicks_by_interval(scope, intervals, audience))
    ordered = await _by_number(connection, _orders_by_interval(scope, intervals))
    return [
        Count(each, clicks.get(number, 0), ordered.get(number, 0))
        for number, each in enumerate(intervals)
    ]


async def by_hour_of_week(
    connection: AsyncConnection, scope: Scope, range: Range
) -> list[list[int]]:
    """Clicks by people, by weekday (Monday first) and hour of the day in the range's time zone."""
    source, condition = _source(scope)
    whole = range.whole
    query = (
        select(source.c.hour, func.sum(source.c.clicks))
        .where(
            condition,
            source.c.audience == Audience.HUMAN,
            source.c.hour >= whole.first_hour,
            source.c.hour < whole.end_hour,
        )
        .group_by(source.c.hour)
    )
    week = [[0] * 24 for _ in _WEEK]
    for hour, clicks in await connection.execute(query):
        local = datetime.fromtimestamp(hour * SECONDS_PER_HOUR, range.zone)
        week[local.weekday()][local.hour] += clicks
    return week


async def first_click(connection: AsyncConnection, event: Event) -> datetime | None:
    """When the first hour began in which the event had a click, in its time zone; None = never."""
    query = select(func.min(event_hours.c.hour)).where(event_hours.c.event_id == event.id)
    hour = (await connection.execute(query)).scalar_one()
    if hour is None:
        return None
    return datetime.fromtimestamp(hour * SECONDS_PER_HOUR, ZoneInfo(event.timezone))


async def counted_until(connection: AsyncConnection) -> float | None:
    """Up to when clicks are in the counts, in seconds since the epoch; None = no flusher ever ran.

    It is when the flusher last reported, which it does when it has moved what there was.
    """
    report = await heartbeat.last(connection)
    return None if report is None else report.seen_at


def _source(scope: Scope) -> tuple[Table, ColumnElement[bool]]:
    """The rows to add up, and which of them."""
    if scope.is_whole:
        return event_hours, event_hours.c.event_id == scope.event_id
    return click_hours, click_hours.c.campaign_id.in_(campaigns_of(scope))


def campaigns_of(scope: Scope) -> Select[int]:
    """The ids of the campaigns whose clicks they are."""
    query = select(campaigns.c.id).where(campaigns.c.event_id == scope.event_id)
    if scope.only is not None:
        query = query.where(campaigns.c.id.in_(scope.only))
    if scope.without:
        query = query.where(campaigns.c.id.not_in(scope.without))
    return query


def _orders_of(scope: Scope) -> ColumnElement[bool]:
    condition = orders.c.event_id == scope.event_id
    if not scope.is_whole:
        condition &= orders.c.campaign_id.in_(campaigns_of(scope))
    return condition


def attributed_within(interval: Interval) -> list[ColumnElement[bool]]:
    """That an order was attributed then."""
    return [
        orders.c.attributed_at >= interval.start.timestamp(),
        orders.c.attributed_at < interval.end.timestamp(),
    ]


def _clicks_by_interval(
    scope: Scope, intervals: Sequence[Interval], audience: Audience
) -> Select[int, int]:
    source, condition = _source(scope)
    parts = numbered([(each.first_hour, each.end_hour) for each in intervals])
    within = (
        select(func.sum(source.c.clicks))
        .where(condition, source.c.audience == audience, *_hours_of(parts, source))
        .correlate(parts)
    )
    return select(parts.c.number, func.coalesce(within.scalar_subquery(), 0))


def _orders_by_interval(scope: Scope, intervals: Sequence[Interval]) -> Select[int, int]:
    parts = numbered([(each.start.timestamp(), each.end.timestamp()) for each in intervals])
    within = (
        select(func.count())
        .select_from(orders)
        .where(
            _orders_of(scope),
            orders.c.attributed_at >= parts.c.start,
            orders.c.attributed_at < parts.c.end,
        )
        .correlate(parts)
    )
    return select(parts.c.number, within.scalar_subquery())


def clicks_of_each(
    source: Table, owner: Column[int], owners: Table, ids: Sequence[int], parts: CTE
) -> Select[int, int, int]:
    """Clicks by people of each of these owners in each part: id, number of the part, clicks.

    A subquery for each pair has SQL seek the pair's rows; asked to join, SQLite compares every row
    with every part.

    Args:
        source: the hourly rows; `owner` is their column of the owners' ids.
    """
    within = (
        select(func.sum(source.c.clicks))
        .where(
            owner == owners.c.id,
            source.c.audience == Audience.HUMAN,
            *_hours_of(parts, source),
        )
        .correlate(parts, owners)
    )
    return (
        select(owners.c.id, parts.c.number, func.coalesce(within.scalar_subquery(), 0))
        .join_from(owners, parts, true())
        .where(owners.c.id.in_(ids))
    )


def _hours_of(parts: CTE, source: Table) -> list[ColumnElement[bool]]:
    return [source.c.hour >= parts.c.start, source.c.hour < parts.c.end]


async def _by_number(connection: AsyncConnection, query: Select[int, int]) -> dict[int, int]:
    return dict((await connection.execute(query)).all())


def numbered(bounds: Sequence[tuple[float, float]]) -> CTE:
    """Rows of a number, from 0 on, a start and an end, for SQL to join with.

    They are one parameter: a statement with one for each bound would be compiled anew each time.
    """
    rows = func.json_each(json.dumps(bounds)).table_valued("key", "value", name="bounds")
    return select(
        rows.c.key.label("number"),
        func.json_extract(rows.c.value, "$[0]").label("start"),
        func.json_extract(rows.c.value, "$[1]").label("end"),
    ).cte("intervals")
