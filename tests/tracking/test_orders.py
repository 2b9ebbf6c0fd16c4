"""Orders: their queries, and the proof that counts agree with them."""

import sqlite3
from contextlib import closing

import pytest

from tests.tracking.counting import make
from tracking import campaigns, marks, orders
from tracking.database import Database
from tracking.errors import OrderTakenError
from tracking.orders import OrderDifference
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.window import Window


async def test_an_order_and_its_count_change_together(database: Database, event: Event) -> None:
    """Attributed twice, it counts once; taken back twice, once as well."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
        for new in (True, False):
            order, is_new = await orders.attribute(connection, event.id, poster, "ABC12")
            assert (order.code, is_new) == ("ABC12", new)
            found = await campaigns.get(connection, event.id, poster)
            assert found is not None
            assert found.order_count == await orders.count(connection, poster) == 1
        for taken in (True, False):
            assert await orders.remove(connection, event.id, poster, "ABC12") is taken
            found = await campaigns.get(connection, event.id, poster)
            assert found is not None
            assert found.order_count == await orders.count(connection, poster) == 0
        assert await orders.audit(connection) == []


async def test_an_order_of_another_campaign_is_refused(database: Database, event: Event) -> None:
    """The error names both; no mark moves, as nothing was written."""
    async with database.write() as connection:
        poster = await campaigns.create(connection, event.id, description="", code="poster")
        [flyer] = await make(connection, event, 1)
        await orders.attribute(connection, event.id, poster.id, "ABC12")
        before = await marks.written(connection, event.id)
        with pytest.raises(OrderTakenError, match=r"^Order ABC12 .* campaign poster already\.$"):
            await orders.attribute(connection, event.id, flyer, "ABC12")
        assert await orders.remove(connection, event.id, flyer, "ABC12") is False
        assert await marks.written(connection, event.id) == before
        assert await orders.list_(connection, flyer, Window(0, 10)) == []


async def test_the_list_is_in_the_order_of_reports(database: Database, event: Event) -> None:
    """A window of it, from either end."""
    async with database.write() as connection:
        [poster] = await make(connection, event, 1)
        for code in "CABED":
            await orders.attribute(connection, event.id, poster, code)
        for window, codes in (
            (Window(0, 2), "CA"),
            (Window(2, 2), "BE"),
            (Window(4, 2), "D"),
            (Window(4, 2, total=5), "D"),
            (Window(3, 1, total=5), "E"),
        ):
            listed = await orders.list_(connection, poster, window)
            assert "".join(order.code for order in listed) == codes


TAMPERINGS = {
    "a count too high": ("UPDATE campaigns SET order_count = 2", OrderDifference("poster", 2, 1)),
    "a count too low": ("UPDATE campaigns SET order_count = 0", OrderDifference("poster", 0, 1)),
    "an order missing": ("DELETE FROM orders", OrderDifference("poster", 1, 0)),
}


@pytest.mark.parametrize(("tampering", "difference"), TAMPERINGS.values(), ids=TAMPERINGS)
async def test_the_audit_finds_what_differs(
    database: Database,
    settings: Settings,
    event: Event,
    tampering: str,
    difference: OrderDifference,
) -> None:
    """A count that is not the number of the campaign's orders is reported with both numbers."""
    async with database.write() as connection:
        poster = await campaigns.create(connection, event.id, description="", code="poster")
        await orders.attribute(connection, event.id, poster.id, "ABC12")
    async with database.read() as connection:
        assert await orders.audit(connection) == []
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other_program:
        other_program.execute(tampering)
        other_program.commit()
    async with database.read() as connection:
        assert await orders.audit(connection) == [difference]
