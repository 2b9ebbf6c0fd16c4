"""Conditional GET: what a polling client is told, and that no write escapes it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

import httpx
import pytest

from tests.api.conftest import Shop
from tests.waiting import until
from tracking import clicks, organizers
from tracking.clicks import Audience, Batch, ClickCount, Hour

LISTS = ["campaigns/", "categories/"]


def mark(response: httpx.Response) -> int:
    """The answer's Last-Modified, in seconds since the epoch."""
    value = response.headers["Last-Modified"]
    assert value == formatdate(parsedate_to_datetime(value).timestamp(), usegmt=True)
    return int(parsedate_to_datetime(value).timestamp())


async def age(shop: Shop, seconds: int) -> int:
    """Makes the event's last write older, or younger; the mark that it has then."""
    now = int(time.time()) - seconds
    with closing(sqlite3.connect(shop.served.file)) as other:
        other.execute(
            "UPDATE event_marks SET written_at = ?, counted_at = ? "
            "WHERE event_id = (SELECT id FROM events WHERE slug = ?)",
            [now, now, shop.slug],
        )
        other.commit()
    return now


def stored_mark(shop: Shop, path: str) -> int:
    """The list's mark, which answers tell once the clock has come to it."""
    column = "counted_at" if path == "campaigns/" else "written_at"
    with closing(sqlite3.connect(shop.served.file)) as other:
        [[found]] = other.execute(
            f"SELECT {column} FROM event_marks "
            "WHERE event_id = (SELECT id FROM events WHERE slug = ?)",
            [shop.slug],
        )
    return int(found)


async def since(shop: Shop, path: str, last_modified: str) -> httpx.Response:
    """What a client is told that has seen the list as it was then."""
    return await shop.client.get(path, headers={"If-Modified-Since": last_modified})


@pytest.mark.parametrize("path", LISTS)
async def test_an_event_without_writes_has_no_date(shop: Shop, path: str) -> None:
    """Nothing is claimed about it, so that no condition holds."""
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        for moment in (0, 2**32):
            response = await shop.client.get(path, headers={name: formatdate(moment, usegmt=True)})
            assert response.status_code == 200
            assert "Last-Modified" not in response.headers


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_list_that_did_not_change_is_304(shop: Shop, path: str, method: str) -> None:
    """Empty, with the date; a client's date may be later, of any of the three forms."""
    await shop.campaign()
    written = await age(shop, 100)
    listed = await shop.client.request(method, path)
    assert (listed.status_code, mark(listed)) == (200, written)
    later = time.gmtime(written + 60)
    dates = {
        listed.headers["Last-Modified"]: 304,
        formatdate(written + 1, usegmt=True): 304,
        time.strftime("%A, %d-%b-%y %H:%M:%S GMT", later): 304,
        time.asctime(later): 304,
        formatdate(written - 1, usegmt=True): 200,
        "Sunday, 06-Nov-94 08:49:37 GMT": 200,
        "Sun Nov  6 08:49:37 1994": 200,
    }
    for date, status in dates.items():
        response = await shop.client.request(method, path, headers={"If-Modified-Since": date})
        assert response.status_code == status, date
        assert mark(response) == written
        assert response.headers["Vary"] == "Accept"
        assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
        if status == 304:
            assert response.content == b""
            assert "Content-Type" not in response.headers


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_that_changed_is_412(shop: Shop, path: str) -> None:
    """For a client that wants it as it was."""
    await shop.campaign()
    written = await age(shop, 100)
    for moment, status in ((written - 1, 412), (written, 200), (written + 1, 200)):
        date = formatdate(moment, usegmt=True)
        response = await shop.client.get(path, headers={"If-Unmodified-Since": date})
        assert response.status_code == status
        assert (response.content == b"") is (status == 412)


async def test_412_comes_before_304(shop: Shop) -> None:
    """As RFC 9110, section 13.2.2, has it."""
    await shop.campaign()
    written = await age(shop, 100)
    for unmodified, modified, status in (
        (written - 1, written, 412),
        (written, written, 304),
        (written, written - 1, 200),
    ):
        headers = {
            "If-Unmodified-Since": formatdate(unmodified, usegmt=True),
            "If-Modified-Since": formatdate(modified, usegmt=True),
        }
        response = await shop.client.get("campaigns/", headers=headers)
        assert response.status_code == status


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_date_ahead_of_the_clock_is_left_out(shop: Shop, path: str, method: str) -> None:
    """`Last-Modified` is never later than `Date`, with any status, and conditions hold as ever."""
    await shop.campaign()
    now = int(time.time())
    ahead = await age(shop, -100)
    for conditions, status in (
        ({}, 200),
        ({"If-Modified-Since": formatdate(now, usegmt=True)}, 200),
        ({"If-Modified-Since": formatdate(ahead - 1, usegmt=True)}, 200),
        ({"If-Modified-Since": formatdate(ahead, usegmt=True)}, 304),
        ({"If-Unmodified-Since": formatdate(now, usegmt=True)}, 412),
    ):
        response = await shop.client.request(method, path, headers=conditions)
        assert response.status_code == status
        assert "Last-Modified" not in response.headers
        assert len(response.headers.get_list("Date")) == 1
        assert abs(parsedate_to_datetime(response.headers["Date"]).timestamp() - now) < 30


async def test_many_quick_writes_tell_no_date_of_the_future(shop: Shop) -> None:
    """Each list is told with a date that is not after the answer's own, or with none."""
    dated = 0
    for _ in range(5):
        assert (await shop.category()) is not None
        listed = await shop.client.get("categories/")
        if "Last-Modified" in listed.headers:
            dated += 1
            assert mark(listed) <= parsedate_to_datetime(listed.headers["Date"]).timestamp()
            # Who asks with it is told what came since.
            await shop.category()
            changed = await since(shop, "categories/", listed.headers["Last-Modified"])
            assert changed.json()["count"] == listed.json()["count"] + 1
    assert dated > 0
    await until(lambda: time.time() > stored_mark(shop, "categories/"), within=60)
    assert mark(await shop.client.get("categories/")) == stored_mark(shop, "categories/")


@dataclass(frozen=True)
class Ignored:
    """Headers that say nothing about dates."""

    headers: list[tuple[str, str]]


FUTURE = formatdate(2**32, usegmt=True)
PAST = formatdate(0, usegmt=True)
IGNORED = {
    "no date": Ignored([("If-Modified-Since", "yesterday")]),
    "empty": Ignored([("If-Modified-Since", "")]),
    "a number": Ignored([("If-Modified-Since", str(2**32))]),
    "ISO 8601": Ignored([("If-Modified-Since", "2106-02-07T06:28:16Z")]),
    "another zone": Ignored([("If-Modified-Since", FUTURE.replace("GMT", "+0100"))]),
    "no such day": Ignored([("If-Modified-Since", "Mon, 31 Feb 2106 06:28:16 GMT")]),
    "no leap year": Ignored([("If-Modified-Since", "Mon, 29 Feb 2101 06:28:16 GMT")]),
    "two dates": Ignored([("If-Modified-Since", FUTURE), ("If-Modified-Since", FUTURE)]),
    "a list": Ignored([("If-Modified-Since", f"{FUTURE}, {FUTURE}")]),
    "an entity tag as well": Ignored([("If-Modified-Since", FUTURE), ("If-None-Match", '"a"')]),
    "412: no date": Ignored([("If-Unmodified-Since", "yesterday")]),
    "412: two dates": Ignored([("If-Unmodified-Since", PAST), ("If-Unmodified-Since", PAST)]),
    "412: an entity tag as well": Ignored([("If-Unmodified-Since", PAST), ("If-Match", "*")]),
}


@pytest.mark.parametrize("case", IGNORED.values(), ids=IGNORED)
async def test_what_is_no_single_date_is_ignored(shop: Shop, case: Ignored) -> None:
    """The list is sent (RFC 9110, sections 13.1.3 and 13.1.4)."""
    await shop.campaign()
    response = await shop.client.get("campaigns/", headers=case.headers)
    assert response.status_code == 200


async def test_two_digits_of_a_year_are_near(shop: Shop) -> None:
    """At most 50 years ahead, else of the past (RFC 9110, section 5.6.7)."""
    await shop.campaign()
    year = time.gmtime().tm_year
    for ahead, status in ((1, 304), (50, 304), (51, 200), (99, 200)):
        date = f"Monday, 28-Feb-{(year + ahead) % 100:02} 08:49:37 GMT"
        assert (await since(shop, "campaigns/", date)).status_code == status, ahead
    # One year of four has the day.
    await since(shop, "campaigns/", "Monday, 29-Feb-00 08:49:37 GMT")


async def test_conditions_matter_to_lists_alone(shop: Shop) -> None:
    """A campaign is sent, and a write done, whatever they say."""
    made = await shop.campaign()
    item = f"campaigns/{made['id']}/"
    for headers in ({"If-Modified-Since": FUTURE}, {"If-Unmodified-Since": PAST}):
        assert (await shop.client.get(item, headers=headers)).json() == made
        response = await shop.client.post("campaigns/", json={"description": "x"}, headers=headers)
        assert response.status_code == 201
        assert (await shop.client.options("campaigns/", headers=headers)).status_code == 200


@dataclass(frozen=True)
class Write:
    """A request that writes; `{campaign}` and `{category}` are ids, `ABC12` is an order."""

    method: str
    path: str
    json: object = None


WRITES = {
    "a campaign made": Write("POST", "campaigns/", {"description": "x"}),
    "a campaign replaced": Write("PUT", "campaigns/{campaign}/", {"description": "x"}),
    "a campaign changed": Write("PATCH", "campaigns/{campaign}/", {"description": "x"}),
    "a campaign deleted": Write("DELETE", "campaigns/{campaign}/"),
    "a category made": Write("POST", "categories/", {"name": "x"}),
    "a category replaced": Write("PUT", "categories/{category}/", {"name": "x"}),
    "a category changed": Write("PATCH", "categories/{category}/", {"position": 3}),
    "a category deleted": Write("DELETE", "categories/{category}/"),
    "a category deleted by its other name": Write("DELETE", "category/{category}/"),
    "an order reported": Write("POST", "campaigns/{campaign}/orders/", {"code": "NEW"}),
    "an order taken back": Write("DELETE", "campaigns/{campaign}/orders/ABC12/"),
}


@pytest.mark.parametrize("ahead", [-100, 0, 100], ids=["later", "at once", "clock stepped back"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_every_write_moves_the_date_on(shop: Shop, write: Write, ahead: int) -> None:
    """By a second at least, also within one second, or when the clock is behind the last write."""
    campaign = (await shop.campaign())["id"]
    category = (await shop.category())["id"]
    await shop.client.post(f"campaigns/{campaign}/orders/", json={"code": "ABC12"})
    before = await age(shop, -ahead)
    seen = formatdate(before, usegmt=True)
    path = write.path.format(campaign=campaign, category=category)
    response = await shop.client.request(write.method, path, json=write.json)
    assert response.status_code in {200, 201, 204}
    for listed in LISTS:
        changed = await since(shop, listed, seen)
        assert changed.status_code == 200
        assert stored_mark(shop, listed) > before
        assert stored_mark(shop, listed) >= int(time.time()) - 60


async def test_a_refused_write_moves_nothing(shop: Shop) -> None:
    """What changed nothing is not told."""
    await shop.campaign()
    seen = (await shop.client.get("campaigns/")).headers["Last-Modified"]
    with shop.served.unchanged():
        assert (await shop.client.post("campaigns/", json={})).status_code == 400
        assert (await shop.client.delete("campaigns/0/")).status_code == 403
        assert (await shop.client.delete("categories/0/")).status_code == 404
    assert (await since(shop, "campaigns/", seen)).status_code == 304


async def test_another_event_is_not_touched(shop: Shop) -> None:
    """Each has a date of its own."""
    await shop.campaign()
    seen = (await shop.client.get("campaigns/")).headers["Last-Modified"]
    await shop.client.post(shop.url_of("acme", "winter") + "campaigns/", json={"description": "x"})
    assert (await since(shop, "campaigns/", seen)).status_code == 304


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("ahead", [-100, 0, 100], ids=["later", "at once", "clock stepped back"])
async def test_a_flush_moves_the_date_of_campaigns(
    shop: Shop, audience: Audience, ahead: int
) -> None:
    """When it changed a `click_count`: not for robots, and not for categories or orders."""
    made = await shop.campaign()
    before = await age(shop, -ahead)
    seen = formatdate(before, usegmt=True)
    database = shop.served.database()
    counts = (ClickCount(int(str(made["id"])), Hour(7), audience, 3),)
    async with database.write() as connection:
        await clicks.apply(connection, [Batch(f"{shop.slug}-{audience}-{ahead}", 1, 1, counts)])
    await database.close()
    flushed = await since(shop, "campaigns/", seen)
    if audience is Audience.HUMAN:
        assert (flushed.status_code, stored_mark(shop, "campaigns/") > before) == (200, True)
        assert flushed.json()["results"] == [{**made, "click_count": 3}]
    else:
        assert flushed.status_code == 304
    assert (await since(shop, "categories/", seen)).status_code == 304
    assert (await since(shop, f"campaigns/{made['id']}/orders/", seen)).status_code == 304


async def test_a_flush_of_an_older_database_is_a_first_write(shop: Shop) -> None:
    """Campaigns from before there were dates get one with their first clicks; categories don't."""
    made = await shop.campaign()
    with closing(sqlite3.connect(shop.served.file)) as other:
        other.execute(
            "DELETE FROM event_marks WHERE event_id = (SELECT id FROM events WHERE slug = ?)",
            [shop.slug],
        )
        other.commit()
    database = shop.served.database()
    counts = (ClickCount(int(str(made["id"])), Hour(7), Audience.HUMAN, 3),)
    async with database.write() as connection:
        await clicks.apply(connection, [Batch(f"{shop.slug}-first", 1, 1, counts)])
    await database.close()
    assert mark(await shop.client.get("campaigns/")) > 0
    assert "Last-Modified" not in (await shop.client.get("categories/")).headers
    await shop.category()
    assert mark(await shop.client.get("categories/")) > 0


async def test_a_polling_client_misses_nothing(shop: Shop) -> None:
    """While others write as fast as they can, who asks with the last date ends with the truth."""
    known: dict[str, object] = {}
    last_modified = formatdate(0, usegmt=True)

    async def poll() -> None:
        nonlocal known, last_modified
        response = await since(shop, "campaigns/", last_modified)
        if response.status_code == 200:
            known = response.json()
            last_modified = response.headers.get("Last-Modified", last_modified)
        else:
            assert response.status_code == 304

    async def write() -> None:
        made = 0
        while made < 10:
            response = await shop.client.post("campaigns/", json={"description": "x"})
            assert response.status_code in {201, 503}  # a busy machine makes writers come again
            made += response.status_code == 201

    writers = asyncio.gather(*(write() for _ in range(3)))
    while not writers.done():
        await poll()
    await writers
    await poll()
    assert known == (await shop.client.get("campaigns/")).json()
    assert known["count"] == 30


async def test_the_event_s_own_commands_change_no_list(shop: Shop) -> None:
    """Moving the shop is not seen in a list."""
    await shop.campaign()
    seen = (await shop.client.get("campaigns/")).headers["Last-Modified"]
    database = shop.served.database()
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", shop.slug, "https://shop.example/")
    await database.close()
    assert (await since(shop, "campaigns/", seen)).status_code == 304
