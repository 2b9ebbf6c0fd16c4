"""Tallies agree with what they count, whatever is written, in whichever order."""

import sqlite3
from contextlib import closing

import pytest

from tests.tracking.older_schema import make_database
from tracking import campaigns, categories
from tracking.database import Database
from tracking.organizers import Event
from tracking.settings import Settings

COUNTED = """
SELECT event_id, 'campaign', count(*) FROM campaigns GROUP BY event_id
UNION ALL
SELECT event_id, CASE is_addon WHEN 1 THEN 'add-on category' ELSE 'category' END, count(*)
FROM categories GROUP BY event_id, is_addon
"""


def differences(settings: Settings) -> list[object]:
    """Tallies that are not what is there; a tally of 0 is as good as none."""
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as connection:
        kept = connection.execute("SELECT * FROM tallies WHERE amount <> 0").fetchall()
        return sorted(set(kept) ^ set(connection.execute(COUNTED).fetchall()))


async def make_category(database: Database, event: Event, *, is_addon: bool) -> int:
    """Makes one; its id."""
    async with database.write() as connection:
        made = await categories.create(
            connection,
            event.id,
            name={},
            internal_name=None,
            description=None,
            position=0,
            is_addon=is_addon,
        )
    return made.id


async def test_campaigns_are_tallied(
    database: Database, event: Event, foreign_event: Event, settings: Settings
) -> None:
    """Made, edited, refused and deleted: an event's count is what is there."""
    ids = []
    for owner in (event, event, foreign_event):
        async with database.write() as connection:
            made = await campaigns.create(connection, owner.id, description="Poster")
        ids.append(made.id)
        assert differences(settings) == []
    async with database.write() as connection:
        await campaigns.change(connection, event.id, ids[0], {"description": "Flyer"})
        assert await campaigns.remove(connection, event.id, ids[0])
        assert not await campaigns.remove(connection, event.id, ids[0])
        assert not await campaigns.remove(connection, event.id, ids[2])
    assert differences(settings) == []
    async with database.read() as connection:
        assert await campaigns.count(connection, event.id) == 1
        assert await campaigns.count(connection, foreign_event.id) == 1


async def test_categories_are_tallied_by_kind(
    database: Database, event: Event, foreign_event: Event, settings: Settings
) -> None:
    """A category that becomes an add-on moves from one tally to the other."""
    first = await make_category(database, event, is_addon=False)
    second = await make_category(database, event, is_addon=True)
    await make_category(database, foreign_event, is_addon=True)
    for id, values in (
        (first, {"is_addon": True}),
        (first, {"is_addon": True}),
        (second, {"is_addon": False, "position": 3}),
        (first, {"position": 4}),
        (second, {}),
    ):
        async with database.write() as connection:
            await categories.change(connection, event.id, id, values)
        assert differences(settings) == [], values
    async with database.read() as connection:
        assert await categories.count(connection, event.id) == 2
        assert await categories.count(connection, event.id, is_addon=True) == 1
        assert await categories.count(connection, event.id, is_addon=False) == 1
    async with database.write() as connection:
        assert await categories.remove(connection, event.id, first)
        assert not await categories.remove(connection, event.id, first)
        assert not await categories.remove(connection, foreign_event.id, second)
    assert differences(settings) == []


async def test_a_write_that_fails_is_not_tallied(
    database: Database, event: Event, settings: Settings
) -> None:
    """A tally is of the transaction that changes what it counts."""

    async def write_and_fail() -> None:
        async with database.write() as connection:
            await campaigns.create(connection, event.id, description="Poster")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    assert differences(settings) == []


async def test_what_was_there_before_tallies_is_counted(settings: Settings) -> None:
    """The migration that brings the tallies fills them."""
    old = await make_database(
        settings,
        "0002",
        (
            "INSERT INTO organizers VALUES (1, 'acme')",
            "INSERT INTO events VALUES (1, 1, 'summer', ''), (2, 1, 'winter', '')",
            "INSERT INTO campaigns VALUES (1, 1, 'a', '', '', 0, 0), (2, 1, 'b', '', '', 0, 0)",
            "INSERT INTO categories VALUES (1, 2, '{}', NULL, NULL, 0, 1)",
            "INSERT INTO categories VALUES (2, 2, '{}', NULL, NULL, 0, 0)",
            "INSERT INTO categories VALUES (3, 2, '{}', NULL, NULL, 0, 1)",
        ),
    )
    await old.migrate()
    async with old.read() as connection:
        assert await campaigns.count(connection, 1) == 2
        assert await categories.count(connection, 2) == 3
        assert await categories.count(connection, 2, is_addon=True) == 2
    await old.close()
    assert differences(settings) == []
