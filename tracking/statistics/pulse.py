"""What an open screen follows: an event's counts of all time, in one query."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.clicks import Audience
from tracking.tables import campaigns, event_hours, flusher_status, orders

_ORDERS, _UNTIL = "orders", "until"


@dataclass(frozen=True, slots=True)
class Pulse:
    """An event's counts, of all time.

    Attributes:
        not_counted: what was answered and is no click.
        until: up to when clicks are in these, in seconds since the epoch; None = never.
    """

    clicks: int
    orders: int
    not_counted: int
    until: float | None


async def read(connection: AsyncConnection, event_id: int) -> Pulse:
    """Reads an event's counts."""
    query = union_all(
        select(event_hours.c.audience, func.sum(event_hours.c.clicks))
        .where(event_hours.c.event_id == event_id)
        .group_by(event_hours.c.audience),
        select(literal(_ORDERS), func.count())
        .select_from(orders)
        .where(orders.c.event_id == event_id),
        select(literal(_UNTIL), flusher_status.c.seen_at),
    )
    found: dict[str, float] = dict((await connection.execute(query)).all())
    until, ordered = found.pop(_UNTIL, None), found.pop(_ORDERS)
    clicks = found.pop(Audience.HUMAN, 0)
    return Pulse(int(clicks), int(ordered), int(sum(found.values())), until)


async def of_campaigns(
    connection: AsyncConnection, event_id: int, campaign_ids: Collection[int]
) -> dict[int, tuple[int, int]]:
    """Clicks and orders of these campaigns, those of them that are the event's."""
    query = select(campaigns.c.id, campaigns.c.click_count, campaigns.c.order_count).where(
        campaigns.c.event_id == event_id, campaigns.c.id.in_(campaign_ids)
    )
    return {
        id: (clicks, ordered) for id, clicks, ordered in (await connection.execute(query)).all()
    }
