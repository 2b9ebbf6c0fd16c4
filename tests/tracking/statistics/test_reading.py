"""Clicks and orders of a range, read in several ways that must agree."""

import random
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.tracking.counting import apply, batch_of, make
from tracking import campaigns, orders
from tracking.clicks import Audience, audit_hours
from tracking.database import Database
from tracking.organizers import Event, ensure_event
from tracking.statistics import by_campaign, reading
from tracking.statistics.by_campaign import Order
from tracking.statistics.ranges import Intervals, Length, Range
from tracking.statistics.reading import Scope, Totals
from tracking.window import Window

ZONE = ZoneInfo("Europe/Berlin")
DAY = date(2026, 10, 25)  # has 25 hours
LATER = datetime(2027, 1, 1, tzinfo=ZONE)
HOUR = Range(DAY, DAY, ZONE).whole.first_hour


@pytest.fixture
async def event(database: Database) -> Event:
    """An event with three campaigns, clicked on three days; another has clicks that are not its."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "fest")
        other = await ensure_event(connection, "acme", "other")
        ids = await make(connection, event, 3)
        foreign = await make(connection, other, 1)
        for number in range(4):
            await orders.attribute(connection, event.id, ids[0], f"A{number}")
    draw = random.Random(11)
    counts = [
        (id, HOUR - 24 + hour, audience, draw.randrange(1, 20))
        for id in (*ids, *foreign)
        for hour in draw.sample(range(24 + 25 + 24), 20)
        for audience in draw.sample(list(Audience), 2)
    ]
    await apply(database, batch_of(*counts))
    return event


@pytest.mark.parametrize("length", Length)
@pytest.mark.parametrize("part", ["event", "a campaign", "without one", "none that is its own"])
async def test_intervals_add_up_to_the_total(
    database: Database, event: Event, length: Length, part: str
) -> None:
    """However a range is cut, its parts sum to its total, for each audience."""
    async with database.read() as connection:
        found = await campaigns.list_(connection, event.id, Window(0, 10))
        foreign = (1 << 40,)
        scope = {
            "event": Scope(event.id),
            "a campaign": Scope(event.id, only=(found[0].id,)),
            "without one": Scope(event.id, without=(found[0].id,)),
            "none that is its own": Scope(event.id, only=foreign),
        }[part]
        for start, end in ((DAY, DAY), (date(2026, 10, 24), date(2026, 10, 26))):
            range_ = Range(start, end, ZONE)
            totals = await reading.totals(connection, scope, range_)
            parts = Intervals(range_, length, LATER)
            for audience in Audience:
                counted = await reading.over_time(
                    connection, scope, parts.window(0, len(parts)), audience
                )
                assert sum(each.clicks for each in counted) == totals.of(audience)
            week = await reading.by_hour_of_week(connection, scope, range_)
            assert sum(map(sum, week)) == totals.clicks
    assert part == "none that is its own" or totals.clicks > 0


async def test_campaigns_add_up_to_the_event(database: Database, event: Event) -> None:
    """Each campaign's clicks sum to the event's; with no range they are the `click_count`s."""
    range_ = Range(DAY, DAY, ZONE)
    async with database.read() as connection:
        ranked = await by_campaign.list_(connection, event.id, range_, Window(0, 10))
        ever = await by_campaign.list_(connection, event.id, None, Window(0, 10))
        totals = await reading.totals(connection, Scope(event.id), range_)
        in_all = await reading.totals(connection, Scope(event.id), None)
        intervals = Intervals(range_, Length.HOUR, LATER).window(0, 25)
        ids = [each.campaign.id for each in ranked]
        series = await by_campaign.over_time(connection, ids, intervals)
        of_events = await by_campaign.events_over_time(connection, [event.id], intervals)
    assert sum(each.clicks for each in ranked) == totals.clicks == sum(of_events[event.id])
    assert {id: sum(counts) for id, counts in series.items()} == {
        each.campaign.id: each.clicks for each in ranked
    }
    assert sum(each.clicks for each in ever) == in_all.clicks
    assert [each.clicks for each in ever] == [each.campaign.click_count for each in ever]


async def test_orders_belong_to_the_day_they_came(database: Database, event: Event) -> None:
    """Orders are counted where they were attributed, to the second."""
    today = datetime.now(ZONE).date()
    async with database.read() as connection:
        now = await reading.totals(connection, Scope(event.id), Range(today, today, ZONE))
        then = await reading.totals(connection, Scope(event.id), Range(DAY, DAY, ZONE))
        ranked = await by_campaign.list_(
            connection, event.id, Range(today, today, ZONE), Window(0, 9), order=Order.ORDERS
        )
    assert (now.orders, then.orders) == (4, 0)
    assert [each.orders for each in ranked] == [4, 0, 0]


async def test_orders_of_a_list(database: Database, event: Event) -> None:
    """Campaigns are in the order that is asked for, whole and in pages; equal ones newest first."""
    range_ = Range(DAY, DAY, ZONE)
    async with database.read() as connection:
        for order in Order:
            for descending in (True, False):
                whole = await by_campaign.list_(
                    connection, event.id, range_, Window(0, 9), order=order, descending=descending
                )
                pages = [
                    each
                    for offset in range(3)
                    for each in await by_campaign.list_(
                        connection,
                        event.id,
                        range_,
                        Window(offset, 1),
                        order=order,
                        descending=descending,
                    )
                ]
                assert whole == pages
                assert len(whole) == 3
        clicks = [
            each.clicks
            for each in await by_campaign.list_(connection, event.id, range_, Window(0, 9))
        ]
        code = whole[1].campaign.code
        found = await by_campaign.list_(connection, event.id, range_, Window(0, 9), search=code)
    assert clicks == sorted(clicks, reverse=True)
    assert [each.campaign.code for each in found] == [code]


async def test_a_deleted_campaign_leaves_its_events_hours(database: Database, event: Event) -> None:
    """The total stays the sum of the campaigns that are there."""
    async with database.write() as connection:
        [first, *_] = await campaigns.list_(connection, event.id, Window(0, 9))
        await campaigns.remove(connection, event.id, first.id)
    async with database.read() as connection:
        left = await campaigns.list_(connection, event.id, Window(0, 9))
        totals = await reading.totals(connection, Scope(event.id), None)
        assert totals.clicks == sum(each.click_count for each in left)
        assert await audit_hours(connection) == []


async def test_the_audit_finds_hours_that_differ(database: Database, event: Event) -> None:
    """An hour more, less or too many is named with its event."""
    async with database.write() as connection:
        await connection.exec_driver_sql(
            "UPDATE event_hours SET clicks = clicks + 1"
            f" WHERE event_id = {event.id} AND audience = 'human'"
        )
        [found] = await audit_hours(connection)
    assert found.event == "acme/fest"


async def test_an_event_without_clicks(database: Database) -> None:
    """Nothing is nothing, and no error."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "new")
        assert await reading.first_click(connection, event) is None
        totals = await reading.totals(connection, Scope(event.id), None)
        assert totals == Totals(0, 0, 0, 0, 0)
        assert totals.not_counted == 0
