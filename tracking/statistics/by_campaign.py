"""An event's campaigns with what each had in a range: in any order, searched, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, UnaryExpression, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.campaigns import CAMPAIGN_COLUMNS, Campaign, matching
from tracking.clicks import Audience
from tracking.statistics.ranges import Interval, Range
from tracking.statistics.reading import (
    Scope,
    attributed_within,
    campaigns_of,
    clicks_of_each,
    numbered,
)
from tracking.tables import campaigns, click_hours, event_hours, events, orders
from tracking.window import Window


class Order(StrEnum):
    """By what campaigns are ordered."""

    NAME = "name"
    CLICKS = "clicks"
    ORDERS = "orders"
    RATE = "rate"
    NEWEST = "newest"


_BY_ORDERS = (Order.ORDERS, Order.RATE)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A campaign, with what it had in a range.

    Attributes:
        clicks: by people.
    """

    campaign: Campaign
    clicks: int
    orders: int


async def list_(
    connection: AsyncConnection,
    event_id: int,
    range: Range | None,
    window: Window,
    *,
    order: Order = Order.CLICKS,
    descending: bool = True,
    search: str = "",
    only: int | None = None,
) -> list[Ranked]:
    """The event's campaigns in the window; equal ones come newest first.

    Args:
        range: None = whatever was ever counted, which needs no adding up.
        search: only those that have it in their code, description or target.
        only: this campaign alone.
    """
    conditions = matching(event_id, search)
    if only is not None:
        conditions.append(campaigns.c.id == only)
    sums = _Sums.of(event_id, range)
    sequence = [_directed(sums.key(order), descending=descending), campaigns.c.id.desc()]
    # Which they are, and then what they have: a sort carries ids alone, and orders are added up for
    # all campaigns only where they are sorted by them.
    ids = sums.joined(select(campaigns.c.id)) if order in _BY_ORDERS else select(campaigns.c.id)
    page = ids.where(*conditions).order_by(*sequence).limit(window.limit).offset(window.offset)
    query = sums.joined(select(*CAMPAIGN_COLUMNS, sums.clicks, sums.orders))
    found = await connection.execute(query.where(campaigns.c.id.in_(page)).order_by(*sequence))
    width = len(CAMPAIGN_COLUMNS)
    return [Ranked(Campaign(*row[:width]), *row[width:]) for row in found]


async def clicks_of(
    connection: AsyncConnection,
    scope: Scope,
    range: Range | None,
    window: Window,
    audience: Audience = Audience.HUMAN,
) -> list[tuple[int, str, int]]:
    """Id, description and clicks of the campaigns that had any, most first."""
    total = func.sum(click_hours.c.clicks)
    query = (
        select(campaigns.c.id, campaigns.c.description, total)
        .join_from(campaigns, click_hours, click_hours.c.campaign_id == campaigns.c.id)
        .where(*_clicked_in(scope, range, audience))
        .group_by(campaigns.c.id)
        .having(total > 0)
        .order_by(total.desc(), campaigns.c.id)
        .limit(window.limit)
        .offset(window.offset)
    )
    return [(id, name, clicks) for id, name, clicks in (await connection.execute(query)).all()]


async def count_of(
    connection: AsyncConnection,
    scope: Scope,
    range: Range | None,
    audience: Audience = Audience.HUMAN,
) -> int:
    """How many campaigns `clicks_of` finds."""
    query = (
        select(func.count(click_hours.c.campaign_id.distinct()))
        .join_from(campaigns, click_hours, click_hours.c.campaign_id == campaigns.c.id)
        .where(*_clicked_in(scope, range, audience), click_hours.c.clicks > 0)
    )
    return (await connection.execute(query)).scalar_one()


def _clicked_in(scope: Scope, range: Range | None, audience: Audience) -> list[ColumnElement[bool]]:
    conditions = [campaigns.c.id.in_(campaigns_of(scope)), click_hours.c.audience == audience]
    if range is not None:
        whole = range.whole
        conditions += [
            click_hours.c.hour >= whole.first_hour,
            click_hours.c.hour < whole.end_hour,
        ]
    return conditions


async def over_time(
    connection: AsyncConnection, campaign_ids: Sequence[int], intervals: Sequence[Interval]
) -> dict[int, list[int]]:
    """Clicks by people of each of these campaigns, interval by interval."""
    parts = numbered([(each.first_hour, each.end_hour) for each in intervals])
    query = clicks_of_each(click_hours, click_hours.c.campaign_id, campaigns, campaign_ids, parts)
    return await _series(connection, query, campaign_ids, len(intervals))


async def events_over_time(
    connection: AsyncConnection, event_ids: Sequence[int], intervals: Sequence[Interval]
) -> dict[int, list[int]]:
    """Clicks by people of each of these events, interval by interval."""
    parts = numbered([(each.first_hour, each.end_hour) for each in intervals])
    query = clicks_of_each(event_hours, event_hours.c.event_id, events, event_ids, parts)
    return await _series(connection, query, event_ids, len(intervals))


async def _series(
    connection: AsyncConnection,
    query: Select[int, int, int],
    ids: Sequence[int],
    length: int,
) -> dict[int, list[int]]:
    series = {id: [0] * length for id in ids}
    for id, number, clicks in (await connection.execute(query)).all():
        series[id][number] = clicks
    return series


@dataclass(frozen=True, slots=True)
class _Sums:
    """A campaign's clicks and orders in a range, as columns.

    Attributes:
        attributed: the orders of each campaign that has any, to be joined; None = they are its own
            column.
    """

    clicks: ColumnElement[int]
    orders: ColumnElement[int]
    attributed: Subquery | None

    @classmethod
    def of(cls, event_id: int, range: Range | None) -> "_Sums":
        if range is None:
            return cls(campaigns.c.click_count, campaigns.c.order_count, None)
        attributed = (
            select(orders.c.campaign_id, func.count().label("orders"))
            .where(orders.c.event_id == event_id, *attributed_within(range.whole))
            .group_by(orders.c.campaign_id)
            .subquery()
        )
        return cls(_clicks_in(range), func.coalesce(attributed.c.orders, 0), attributed)

    def key(self, order: Order) -> ColumnElement[Any]:
        """What campaigns are ordered by."""
        keys: dict[Order, ColumnElement[Any]] = {
            Order.NAME: campaigns.c.description.collate("NOCASE"),
            Order.CLICKS: self.clicks,
            Order.ORDERS: self.orders,
            Order.RATE: self.orders * 1.0 / func.nullif(self.clicks, 0),
            Order.NEWEST: campaigns.c.id,
        }
        return keys[order]

    def joined(self, query: Select[Any]) -> Select[Any]:
        """The query of campaigns with what the columns need."""
        if self.attributed is None:
            return query
        matches = self.attributed.c.campaign_id == campaigns.c.id
        return query.outerjoin_from(campaigns, self.attributed, matches)


def _clicks_in(range: Range) -> ColumnElement[int]:
    """A campaign's clicks by people: a subquery, so that SQL seeks each campaign's rows once."""
    whole = range.whole
    within = (
        select(func.sum(click_hours.c.clicks))
        .where(
            click_hours.c.campaign_id == campaigns.c.id,
            click_hours.c.audience == Audience.HUMAN,
            click_hours.c.hour >= whole.first_hour,
            click_hours.c.hour < whole.end_hour,
        )
        .correlate(campaigns)
    )
    return func.coalesce(within.scalar_subquery(), 0)


def _directed(key: ColumnElement[Any], *, descending: bool) -> UnaryExpression[Any]:
    return (key.desc() if descending else key.asc()).nulls_last()
