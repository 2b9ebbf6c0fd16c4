"""Campaigns: their codes, their queries, and the feed of their changes."""

import re
import secrets
import string
import time
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.tracking.older_schema import make_database
from tracking import campaigns
from tracking.campaigns import NewCampaign
from tracking.clicks import Audience, Batch, ClickCount, Hour, apply
from tracking.database import Database
from tracking.errors import DuplicateCodeError
from tracking.links import CODE, Link
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings
from tracking.window import Window

ALL = Window(offset=0, limit=1000)

CODES = {
    "one letter": ("a", True),
    "all kinds": ("Az09_-", True),
    "longest": ("a" * 64, True),
    "empty": ("", False),
    "too long": ("a" * 65, False),
    "slash": ("a/b", False),
    "dot": ("a.b", False),
    "line break at the end": ("abc\n", False),
    "umlaut": ("käse", False),
    "digits of another script": ("١٢", False),
}

# What a change says, and what the feed tells the redirectors then.
CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "target": ({"external_target": "https://new.example/"}, ["poster"]),
    "description": ({"description": "Poster in the tram"}, ["poster"]),
    "code": ({"code": "tram"}, ["poster", "tram"]),
    "code, to itself": ({"code": "poster"}, ["poster"]),
    "code and target": ({"code": "tram", "external_target": ""}, ["poster", "tram"]),
    "nothing": ({}, []),
}


async def poster(connection: AsyncConnection, event: Event) -> campaigns.Campaign:
    """A campaign of the event with the code `poster`."""
    return await campaigns.create(
        connection,
        event.id,
        description="Poster",
        external_target="https://shop.example/",
        code="poster",
    )


async def feed_after(connection: AsyncConnection, id: int) -> list[str]:
    """The codes that the change feed names since then, sorted."""
    return sorted(change.code for change in await campaigns.changes_after(connection, id, 1000))


@pytest.mark.parametrize(("code", "allowed"), CODES.values(), ids=CODES)
def test_the_form_of_a_code(code: str, allowed: bool) -> None:
    """A code has 1 to 64 of the characters that need no quoting in a path."""
    assert (CODE.fullmatch(code) is not None) is allowed


async def test_a_new_campaign_is_found(database: Database, event: Event) -> None:
    """What was stored comes back, with counts of 0."""
    async with database.write() as connection:
        made = await poster(connection, event)
    assert made == campaigns.Campaign(
        id=made.id,
        code="poster",
        description="Poster",
        external_target="https://shop.example/",
        order_count=0,
        click_count=0,
    )
    async with database.read() as connection:
        assert await campaigns.get(connection, event.id, made.id) == made
        assert await campaigns.list_(connection, event.id, ALL) == [made]
        assert await campaigns.count(connection, event.id) == 1


async def test_random_codes(database: Database, event: Event) -> None:
    """Without a code, nine letters and digits are drawn, of the whole alphabet, never twice."""
    async with database.write() as connection:
        codes = [
            (await campaigns.create(connection, event.id, description="Flyer")).code
            for _ in range(200)
        ]
    assert len(set(codes)) == 200
    assert all(re.fullmatch("[A-Za-z0-9]{9}", code) for code in codes)
    # One of 62 is missing among 1,800 with a probability below 1e-10.
    assert set("".join(codes)) == set(string.ascii_letters + string.digits)


async def test_a_taken_random_code_is_drawn_again(
    database: Database, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draw that hits an existing code is repeated until the code is free."""
    draws = iter("A" * 9 + "A" * 9 + "B" * 9)
    monkeypatch.setattr(secrets, "choice", lambda _: next(draws))
    async with database.write() as connection:
        first = await campaigns.create(connection, event.id, description="first")
        before = await campaigns.last_change(connection)
        second = await campaigns.create(connection, event.id, description="second")
        assert (first.code, second.code) == ("A" * 9, "B" * 9)
        assert await campaigns.get(connection, event.id, first.id) == first
        assert await feed_after(connection, before) == ["B" * 9]


async def test_a_code_is_unique_over_all_organizers(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """A code that is taken anywhere is refused, on create and on change; case matters."""
    async with database.write() as connection:
        made = await poster(connection, event)
        before = await campaigns.last_change(connection)
        for taken_for in (event, foreign_event):
            with pytest.raises(DuplicateCodeError):
                await poster(connection, taken_for)
        other = await campaigns.create(
            connection, foreign_event.id, description="Poster", code="Poster"
        )
        with pytest.raises(DuplicateCodeError):
            await campaigns.change(connection, foreign_event.id, other.id, {"code": "poster"})
        assert await campaigns.get(connection, foreign_event.id, other.id) == other
        assert await campaigns.get(connection, event.id, made.id) == made
        assert await feed_after(connection, before) == ["Poster"]


async def test_lists_are_windows_ordered_by_id(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """A list has the event's own campaigns, oldest first, as many as the window is wide."""
    async with database.write() as connection:
        made = []
        for number in range(5):
            made.append(await campaigns.create(connection, event.id, description=str(number)))
            await campaigns.create(connection, foreign_event.id, description="foreign")
    async with database.read() as connection:
        assert await campaigns.list_(connection, event.id, ALL) == made
        assert await campaigns.list_(connection, event.id, Window(1, 2)) == made[1:3]
        assert await campaigns.list_(connection, event.id, Window(4, 2)) == made[4:]
        assert await campaigns.list_(connection, event.id, Window(5, 2)) == []
        assert await campaigns.count(connection, event.id) == 5
        assert await campaigns.count_all(connection) == 10


async def test_a_campaign_belongs_to_its_event(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """Another event can neither see, change nor delete it."""
    async with database.write() as connection:
        made = await poster(connection, event)
        before = await campaigns.last_change(connection)
        assert await campaigns.get(connection, foreign_event.id, made.id) is None
        values = {"description": "mine", "code": "mine"}
        assert await campaigns.change(connection, foreign_event.id, made.id, values) is None
        assert await campaigns.remove(connection, foreign_event.id, made.id) is False
        assert await campaigns.get(connection, event.id, made.id) == made
        assert await campaigns.last_change(connection) == before


@pytest.mark.parametrize(("values", "told"), CHANGES.values(), ids=CHANGES)
async def test_a_change_is_stored_and_told(
    database: Database, event: Event, values: dict[str, Any], told: list[str]
) -> None:
    """A change sets what it names and nothing else, and the feed names every code concerned."""
    async with database.write() as connection:
        made = await poster(connection, event)
        before = await campaigns.last_change(connection)
        changed = await campaigns.change(connection, event.id, made.id, values)
        assert changed is not None
        for column in campaigns.Campaign.__slots__:
            assert getattr(changed, column) == values.get(column, getattr(made, column))
        assert await campaigns.get(connection, event.id, made.id) == changed
        assert await feed_after(connection, before) == told


async def test_making_and_removing_are_told(database: Database, event: Event) -> None:
    """The feed has one entry for each, in order."""
    async with database.write() as connection:
        before = await campaigns.last_change(connection)
        made = await poster(connection, event)
        assert await feed_after(connection, before) == ["poster"]
        assert await campaigns.remove(connection, event.id, made.id) is True
        assert await feed_after(connection, before) == ["poster", "poster"]
        assert await campaigns.remove(connection, event.id, made.id) is False
        assert await feed_after(connection, before) == ["poster", "poster"]


async def test_a_write_that_fails_is_not_told(database: Database, event: Event) -> None:
    """The feed's entry is part of the transaction."""

    async def make_and_fail() -> None:
        async with database.write() as connection:
            await poster(connection, event)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await make_and_fail()
    async with database.read() as connection:
        assert await campaigns.last_change(connection) == 0
    assert await campaigns.find_links(database, ["poster"]) == []


async def test_links_share_names(database: Database, event: Event) -> None:
    """A hundred thousand links of an event do not hold its name a hundred thousand times."""
    async with database.write() as connection:
        for code in ("poster", "flyer"):
            await campaigns.create(connection, event.id, description=code, code=code)
    one, other = await campaigns.find_links(database, ["poster", "flyer"])
    assert one.organizer is other.organizer
    assert one.event is other.event


async def test_the_feed_is_read_in_parts(database: Database, event: Event) -> None:
    """A reader asks from the last change it saw, and gets the oldest first."""
    async with database.write() as connection:
        for number in range(5):
            await campaigns.create(connection, event.id, description="", code=f"code-{number}")
        start = await campaigns.last_change(connection) - 5
        first = await campaigns.changes_after(connection, start, 2)
        assert [change.code for change in first] == ["code-0", "code-1"]
        rest = await campaigns.changes_after(connection, first[-1].id, 100)
        assert [change.code for change in rest] == ["code-2", "code-3", "code-4"]
        assert rest[-1].id == await campaigns.last_change(connection)


async def test_old_changes_are_forgotten(database: Database, event: Event) -> None:
    """What is older than the given time goes, the rest stays, and no change's id comes again."""
    async with database.write() as connection:
        await poster(connection, event)
        last = await campaigns.last_change(connection)
        await campaigns.forget_changes(connection, before=time.time() - 3600)
        assert await campaigns.last_change(connection) == last
        await campaigns.forget_changes(connection, before=time.time() + 3600)
        assert await campaigns.changes_after(connection, 0, 10) == []
        await campaigns.create(connection, event.id, description="", code="flyer")
        assert await campaigns.last_change(connection) > last


async def test_no_id_is_given_twice(database: Database, event: Event) -> None:
    """The id of the newest campaign stays used after it is deleted."""
    async with database.write() as connection:
        first = await poster(connection, event)
        await campaigns.remove(connection, event.id, first.id)
        second = await poster(connection, event)
    assert second.id > first.id


async def test_a_deleted_campaign_takes_its_counts_along(database: Database, event: Event) -> None:
    """Nothing of it stays: its hourly rows go with it."""
    async with database.write() as connection:
        made = await poster(connection, event)
        kept = await campaigns.create(connection, event.id, description="Flyer")
        counts = [ClickCount(id, Hour(1), Audience.HUMAN, 3) for id in (made.id, kept.id)]
        await apply(connection, [Batch("writer", 1, 1, tuple(counts))])
        await campaigns.remove(connection, event.id, made.id)
        rows = await connection.exec_driver_sql("SELECT campaign_id FROM click_hours")
        assert rows.scalars().all() == [kept.id]


async def test_links_are_found_by_their_codes(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """A link says where its campaign belongs and leads; codes are matched exactly."""
    async with database.write() as connection:
        made = await poster(connection, event)
        foreign = await campaigns.create(
            connection, foreign_event.id, description="Flyer", code="flyer"
        )
    links = await campaigns.find_links(database, ["flyer", "nothing", "poster", "POSTER"])
    assert await campaigns.find_links(database, []) == []
    assert sorted(links, key=lambda link: link.code) == [
        Link(foreign.id, "zenith", "summer", "flyer", "", ""),
        Link(made.id, "acme", "summer", "poster", "https://shop.example/", ""),
    ]


async def test_what_was_there_before_is_searched(settings: Settings) -> None:
    """The migration that brings the search reads every campaign, whatever their number."""
    number = 25_000
    old = await make_database(
        settings,
        "0006",
        (
            "INSERT INTO organizers VALUES (1, 'acme', NULL)",
            "INSERT INTO events (id, organizer_id, slug, shop_url) VALUES (1, 1, 'summer', '')",
            "INSERT INTO tallies VALUES (1, 'campaign', 25000)",
            """WITH RECURSIVE numbers(n) AS (
                SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 25000
            ) INSERT INTO campaigns SELECT n, 1, 'C' || n, 'Ö', '', 0, 0 FROM numbers""",
        ),
    )
    await old.migrate()
    async with old.read() as connection:
        assert await campaigns.count(connection, 1, search="ö") == number
        for code in ("c1", "c10001", "c25000"):
            assert await campaigns.count(connection, 1, search=code) >= 1
    await old.close()


async def test_a_deleted_campaign_takes_its_text_along(database: Database, event: Event) -> None:
    """And leaves its neighbour's."""
    async with database.write() as connection:
        made = await poster(connection, event)
        kept = await campaigns.create(connection, event.id, description="Flyer", code="flyer")
        await campaigns.remove(connection, event.id, made.id)
        rows = await connection.exec_driver_sql("SELECT campaign_id, text FROM campaign_texts")
        assert [tuple(row) for row in rows] == [(kept.id, "flyer\x1fflyer\x1f")]


async def test_many_at_once(database: Database) -> None:
    """All of them, with their codes or drawn ones; found, counted and told to redirectors."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "many")
        before = await campaigns.last_change(connection)
        made = [NewCampaign(f"Number {number}", "https://x.example/") for number in range(600)]
        first, last = await campaigns.create_many(
            connection, event.id, [*made, NewCampaign("Chosen", code="chosen")]
        )
        assert last - first == 600
        assert await campaigns.count(connection, event.id) == 601
        found = await campaigns.between(connection, event.id, first, last)
        assert [each.description for each in found] == [
            *(f"Number {number}" for number in range(600)),
            "Chosen",
        ]
        assert len({each.code for each in found}) == 601
        assert found[-1].code == "chosen"
        assert await campaigns.count(connection, event.id, search="chosen") == 1
        changes = await campaigns.changes_after(connection, before, 1000)
        assert {each.code for each in changes} == {each.code for each in found}


@pytest.mark.parametrize("codes", [["taken"], ["one", "one"]])
async def test_of_many_none_is_made_when_one_cannot_be(
    database: Database, codes: list[str]
) -> None:
    """A code that is taken, or comes twice."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "many")
        await campaigns.create(connection, event.id, description="There", code="taken")
    made = [NewCampaign("Free", code="free"), *(NewCampaign("x", code=code) for code in codes)]
    async with database.write() as connection:
        with pytest.raises(DuplicateCodeError):
            await campaigns.create_many(connection, event.id, made)
    async with database.read() as connection:
        assert await campaigns.count(connection, event.id) == 1
