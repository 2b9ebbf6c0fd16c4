"""Statistics over HTTP (the contract, "Statistics")."""

import csv
import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.api.conftest import Shop
from tests.tracking.counting import batch_of
from tracking import clicks, heartbeat
from tracking.clicks import Audience, hour_of
from tracking.organizers import EventDetails, ensure_event

ZONE = ZoneInfo("Europe/Berlin")


def day(ago: int) -> str:
    """A day by how long it is over, in the event's time zone."""
    return (datetime.now(ZONE) - timedelta(days=ago)).date().isoformat()


def hour(ago: int) -> int:
    """The hour that began last at noon of that day."""
    noon = (datetime.now(ZONE) - timedelta(days=ago)).replace(hour=12, minute=0)
    return hour_of(noon.timestamp())


@pytest.fixture
async def counted(shop: Shop) -> tuple[int, int]:
    """An event in Berlin with two campaigns that were clicked; their ids."""
    one = await shop.campaign(description="=Poster")
    other = await shop.campaign(description="Flyer")
    ids = int(str(one["id"])), int(str(other["id"]))
    await shop.client.post(f"campaigns/{ids[0]}/orders/", json={"code": "A1"})
    now = hour_of(datetime.now(ZONE).timestamp())
    database = shop.served.database()
    async with database.write() as connection:
        details = EventDetails(timezone="Europe/Berlin")
        await ensure_event(connection, shop.organizer.slug, shop.slug, details=details)
        await heartbeat.beat(connection, redis_reachable=True)
    async with database.write() as connection:
        await clicks.apply(
            connection,
            [
                batch_of(
                    (ids[0], now, Audience.HUMAN, 5),
                    (ids[0], hour(3), Audience.HUMAN, 7),
                    (ids[1], hour(3), Audience.HUMAN, 11),
                    (ids[1], hour(40), Audience.HUMAN, 13),
                    (ids[1], hour(3), Audience.BOT, 2),
                    (ids[0], hour(3), Audience.PREFETCH, 3),
                    (ids[0], hour(3), Audience.EMBEDDED, 4),
                )
            ],
        )
    await database.close()
    return ids


async def read(shop: Shop, path: str, **query: str) -> dict[str, Any]:
    """What an address answers with 200."""
    response = await shop.client.get(path, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_in_all(shop: Shop, counted: tuple[int, int]) -> None:
    """The contract's shape, with the 28 days up to today unless another range is asked for."""
    found = await read(shop, "statistics/")
    until = datetime.fromisoformat(found.pop("until"))
    assert until.tzinfo is not None
    assert found == {
        "start": day(27),
        "end": day(0),
        "timezone": "Europe/Berlin",
        "clicks": 23,
        "visitors": None,
        "orders": 1,
        "bots": 2,
        "prefetches": 3,
        "embedded": 4,
        "comparison": None,
    }
    compared = (await read(shop, "statistics/", compare="previous"))["comparison"]
    assert compared == {
        "start": day(55),
        "end": day(28),
        "clicks": 13,
        "visitors": None,
        "orders": 0,
    }
    assert (await read(shop, "statistics/", period="all"))["clicks"] == 36
    of_one = await read(shop, f"campaigns/{counted[0]}/statistics/", period="day")
    assert (of_one["clicks"], of_one["orders"]) == (5, 1)


FILTERS: dict[str, tuple[Mapping[str, str], int]] = {
    "bots": ({"audience": "bot"}, 2),
    "one campaign": ({"campaign": "{0}"}, 12),
    "both": ({"campaign": "{0},{1}"}, 23),
    "without one": ({"campaign": "-{0}"}, 11),
    "one that is not there": ({"campaign": "999999999"}, 0),
    "no number": ({"campaign": "x,(none),(other)"}, 0),
    "a channel, of which nothing is known": ({"channel": "search"}, 0),
    "what is unknown": ({"channel": "(none)"}, 23),
    "without what is unknown": ({"device": "-(none)"}, 0),
    "dates": ({"start": "{day3}", "end": "{day3}"}, 18),
    "dates up to today": ({"start": "{day3}"}, 23),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
async def test_everything_adds_up(
    shop: Shop, counted: tuple[int, int], query: Mapping[str, str], expected: int
) -> None:
    """The contract, "Equality": intervals and campaigns sum to `clicks`, under every filter."""
    asked = {name: text.format(*counted, day3=day(3)) for name, text in query.items()}
    assert (await read(shop, "statistics/", **asked))["clicks"] == expected
    for interval in ("hour", "day", "week", "month"):
        page = await read(shop, "statistics/clicks/", interval=interval, page_size="500", **asked)
        items = page["results"]
        while page["next"]:
            page = (await shop.client.get(page["next"])).json()
            items += page["results"]
        assert len(items) == page["count"]
        assert sum(item["clicks"] for item in items) == expected
        starts = [datetime.fromisoformat(item["start"]) for item in items]
        assert starts == sorted(starts)
    campaigns = await read(shop, "statistics/campaigns/", **asked)
    assert campaigns["total"] == expected == sum(each["clicks"] for each in campaigns["results"])


async def test_orders_have_no_profile(shop: Shop, counted: tuple[int, int]) -> None:
    """Under a filter by what orders don't know they are null; by campaign they are told."""
    by_channel = {"channel": "(none)", "compare": "previous"}
    found = await read(shop, "statistics/", **by_channel)
    assert (found["clicks"], found["orders"], found["comparison"]["orders"]) == (23, None, None)
    listed = await read(shop, "statistics/clicks/", channel="(none)")
    assert {each["orders"] for each in listed["results"]} == {None}
    assert (await read(shop, "statistics/", campaign=str(counted[0])))["orders"] == 1
    assert (await read(shop, "statistics/", campaign=str(counted[1])))["orders"] == 0


async def test_all_is_the_sum_of_the_counts(shop: Shop, counted: tuple[int, int]) -> None:
    """With `all` and no filter the sum is that of the campaigns' `click_count`."""
    listed = (await read(shop, "campaigns/"))["results"]
    clicks = (await read(shop, "statistics/", period="all"))["clicks"]
    assert clicks == sum(each["click_count"] for each in listed)
    by_campaign = await read(shop, "statistics/campaigns/", period="all")
    assert by_campaign["results"] == [
        {"value": str(counted[1]), "name": "Flyer", "clicks": 24},
        {"value": str(counted[0]), "name": "=Poster", "clicks": 12},
    ]


WRONG = {
    "a period that is none": ({"period": "week"}, "period"),
    "a period and dates": ({"period": "7d", "start": "2026-01-01"}, "period"),
    "an end alone": ({"end": "2026-01-01"}, "start"),
    "no date": ({"start": "2026-02-30"}, "start"),
    "an end before the start": ({"start": "2026-02-01", "end": "2026-01-01"}, "end"),
    "a comparison that is none": ({"compare": "never"}, "compare"),
    "an audience that is none": ({"audience": "robots"}, "audience"),
    "an interval that is none": ({"interval": "minute"}, "interval"),
}


@pytest.mark.parametrize(("query", "parameter"), WRONG.values(), ids=WRONG)
async def test_what_cannot_be_meant(shop: Shop, query: dict[str, str], parameter: str) -> None:
    """400 with the parameter's name."""
    response = await shop.client.get("statistics/clicks/", params=query)
    assert response.status_code == 400
    assert list(response.json()) == [parameter]


async def test_csv(shop: Shop, counted: tuple[int, int]) -> None:
    """The whole list, columns named as in JSON, no cell a formula."""
    for query, headers in (({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})):
        response = await shop.client.get("statistics/campaigns/", params=query, headers=headers)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(response.text, newline="")))
        assert rows == [
            ["value", "name", "clicks"],
            [str(counted[0]), "'=Poster", "12"],
            [str(counted[1]), "Flyer", "11"],
        ]
    response = await shop.client.get("statistics/clicks/?period=all&interval=hour&format=csv")
    lines = response.text.splitlines()
    assert lines[0] == "start,clicks,orders,visitors"
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 36
    assert len(lines) > 900
    refused = await shop.client.get("statistics/", headers={"Accept": "text/csv"})
    assert refused.status_code == 406


async def test_pages_have_up_to_500(shop: Shop, counted: tuple[int, int]) -> None:
    """More is 500; nothing, and what is no number, is 50."""
    for size, expected in (("500", 500), ("501", 500), ("7", 7), ("0", 50), ("x", 50)):
        page = await read(shop, "statistics/clicks/", period="28d", interval="hour", page_size=size)
        assert len(page["results"]) == expected
    assert counted


async def test_last_modified_moves_with_bots(shop: Shop, counted: tuple[int, int]) -> None:
    """Whatever a list shows moves it on, and no more than that: campaigns show no bots."""
    database = shop.served.database()

    async def dates() -> list[str | None]:
        return [
            (await shop.client.get(path)).headers.get("last-modified")
            for path in ("statistics/clicks/", "campaigns/")
        ]

    async with database.write() as connection:
        # So that the mark is not ahead of the clock.
        await connection.exec_driver_sql("UPDATE statistics_marks SET changed_at = 1")
        await connection.exec_driver_sql("UPDATE event_marks SET counted_at = 1")
    before = await dates()
    async with database.write() as connection:
        await clicks.apply(connection, [batch_of((counted[0], hour(0), Audience.BOT, 1))])
    after = await dates()
    await database.close()
    assert after[0] != before[0]
    assert after[1] == before[1]


async def test_who_may_not(shop: Shop, counted: tuple[int, int]) -> None:
    """A stranger's token, and a campaign of another event, are 403; no write is offered."""
    for path in ("statistics/", "statistics/clicks/", f"campaigns/{counted[0]}/qr/"):
        headers = {"Authorization": f"Token {shop.organizer.stranger}"}
        assert (await shop.client.get(path, headers=headers)).status_code == 403
        assert (await shop.client.post(path)).status_code == 405
    assert (await shop.client.get("campaigns/999999999/statistics/")).status_code == 403
    assert (await shop.client.get("campaigns/x/statistics/clicks/")).status_code == 404
