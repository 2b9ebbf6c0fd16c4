"""Orders: which campaign brought them. The type, its queries, and the proof that counts agree."""

import re
import time
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import marks
from tracking.database import upsert
from tracking.errors import OrderTakenError
from tracking.tables import campaigns, orders
from tracking.timestamps import format_timestamp
from tracking.window import SortKey, Window, rows

# The contract, "Campaigns"; stored in upper case.
CODE = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Order:
    """An order of an event, attributed to a campaign.

    Attributes:
        datetime: when it was attributed, ISO 8601, UTC.
    """

    code: str
    datetime: str


@dataclass(frozen=True, slots=True)
class OrderDifference:
    """A campaign whose `order_count` is not the number of its orders."""

    code: str
    order_count: int
    orders: int


_COLUMNS = [orders.c.code, orders.c.attributed_at]


async def count(connection: AsyncConnection, campaign_id: int) -> int:
    """How many orders the campaign has."""
    query = select(func.count()).select_from(orders).where(orders.c.campaign_id == campaign_id)
    return (await connection.execute(query)).scalar_one()


async def list_(connection: AsyncConnection, campaign_id: int, window: Window) -> list[Order]:
    """The campaign's orders in the window, as they came."""
    query = select(*_COLUMNS).where(orders.c.campaign_id == campaign_id)
    found = await rows(connection, query, [SortKey(orders.c.id)], window)
    return [_order(row) for row in found]


async def attribute(
    connection: AsyncConnection, event_id: int, campaign_id: int, code: str
) -> tuple[Order, bool]:
    """Attributes an order of the event to a campaign of the event.

    Returns:
        The order, and whether that is new: False when it was this campaign's before.

    Raises:
        OrderTakenError: another campaign of the event has it.
    """
    statement = (
        upsert(orders)
        .values(event_id=event_id, campaign_id=campaign_id, code=code, attributed_at=time.time())
        .on_conflict_do_nothing(index_elements=[orders.c.event_id, orders.c.code])
        .returning(*_COLUMNS)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is not None:
        await _add(connection, event_id, campaign_id, 1)
        return _order(row), True
    query = (
        select(*_COLUMNS, orders.c.campaign_id, campaigns.c.code.label("owner"))
        .join_from(orders, campaigns)
        .where(orders.c.event_id == event_id, orders.c.code == code)
    )
    row = (await connection.execute(query)).mappings().one()
    if row["campaign_id"] != campaign_id:
        raise OrderTakenError(code, row["owner"])
    return _order(row), False


async def remove(connection: AsyncConnection, event_id: int, campaign_id: int, code: str) -> bool:
    """Takes an order back from the event's campaign; False when it does not have it."""
    statement = delete(orders).where(
        orders.c.event_id == event_id, orders.c.campaign_id == campaign_id, orders.c.code == code
    )
    if (await connection.execute(statement)).rowcount == 0:
        return False
    await _add(connection, event_id, campaign_id, -1)
    return True


async def audit(connection: AsyncConnection) -> list[OrderDifference]:
    """The campaigns whose `order_count` differs from the number of their orders."""
    number = func.count(orders.c.id)
    query = (
        select(campaigns.c.code, campaigns.c.order_count, number.label("orders"))
        .outerjoin_from(campaigns, orders, orders.c.campaign_id == campaigns.c.id)
        .group_by(campaigns.c.id)
        .having(campaigns.c.order_count != number)
        .order_by(campaigns.c.id)
    )
    return [OrderDifference(**row) for row in (await connection.execute(query)).mappings()]


async def _add(connection: AsyncConnection, event_id: int, campaign_id: int, number: int) -> None:
    await connection.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id)
        .values(order_count=campaigns.c.order_count + number)
    )
    await marks.note_write(connection, event_id)


def _order(row: RowMapping) -> Order:
    return Order(row["code"], format_timestamp(row["attributed_at"]))
