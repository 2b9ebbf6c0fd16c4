"""Item categories: what is stored, and in which order they are listed."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import categories
from tracking.database import Database
from tracking.languages import MultiLingual
from tracking.organizers import Event
from tracking.window import Window

ALL = Window(offset=0, limit=1000)

# Positions of categories a to e, in the order they are made.
POSITIONS = {"a": 2, "b": 1, "c": 2, "d": -1, "e": 1}

ORDERS = {
    "default: by position, then oldest first": ((), "dbeac"),
    "position alone: equal ones newest first": (("position",), "debca"),
    "position descending alone: equal ones newest first": (("-position",), "caebd"),
    "id": (("id",), "abcde"),
    "id descending": (("-id",), "edcba"),
    "position, then id": (("position", "id"), "dbeac"),
    "position, then id descending": (("position", "-id"), "debca"),
    "position descending, then id": (("-position", "id"), "acbed"),
    "id before position": (("id", "position"), "abcde"),
}

CHANGES: dict[str, dict[str, Any]] = {
    "name": {"name": {"de": "Karten"}},
    "internal name": {"internal_name": "tickets"},
    "internal name, none": {"internal_name": None},
    "description": {"description": {"en": "**All** tickets", "fr": "Billets"}},
    "description, none": {"description": None},
    "position": {"position": -7},
    "add-on": {"is_addon": True},
    "several": {"name": {}, "position": 0, "is_addon": True},
    "nothing": {},
}


async def create(
    connection: AsyncConnection,
    event: Event,
    name: str = "Tickets",
    *,
    description: MultiLingual | None = None,
    position: int = 0,
    is_addon: bool = False,
) -> categories.Category:
    """A category of the event."""
    return await categories.create(
        connection,
        event.id,
        name={"en": name},
        internal_name=name,
        description=description,
        position=position,
        is_addon=is_addon,
    )


async def test_a_new_category_is_found(database: Database, event: Event) -> None:
    """What was stored comes back, in every language."""
    texts = {"en": "Tickets", "de-informal": "Karten für dich", "zh-hans": "票"}
    async with database.write() as connection:
        made = await categories.create(
            connection,
            event.id,
            name=texts,
            internal_name="tickets",
            description=texts,
            position=3,
            is_addon=True,
        )
    assert made == categories.Category(
        id=made.id,
        name=texts,
        internal_name="tickets",
        description=texts,
        position=3,
        is_addon=True,
    )
    async with database.read() as connection:
        assert await categories.get(connection, event.id, made.id) == made
        assert await categories.list_(connection, event.id, ALL) == [made]


async def test_no_description_is_stored_as_null(database: Database, event: Event) -> None:
    """None is SQL's NULL, not the JSON text `null`."""
    async with database.write() as connection:
        made = await create(connection, event, description=None)
        rows = await connection.exec_driver_sql("SELECT description IS NULL FROM categories")
        assert rows.scalar_one() == 1
        found = await categories.get(connection, event.id, made.id)
    assert found is not None
    assert found.description is None


@pytest.mark.parametrize(("ordering", "names"), ORDERS.values(), ids=ORDERS)
async def test_orders(
    database: Database, event: Event, ordering: tuple[str, ...], names: str
) -> None:
    """Each ordering of the contract lists the same categories in its own order."""
    async with database.write() as connection:
        for name, position in POSITIONS.items():
            await create(connection, event, name, position=position)
    async with database.read() as connection:
        listed = await categories.list_(connection, event.id, ALL, ordering=ordering)
        part = await categories.list_(connection, event.id, Window(1, 3), ordering=ordering)
    assert "".join(category.name["en"] for category in listed) == names
    assert part == listed[1:4]


@pytest.mark.parametrize(
    ("is_addon", "names"),
    [(None, "abc"), (True, "b"), (False, "ac")],
    ids=["both kinds", "add-ons", "others"],
)
async def test_kinds(
    database: Database, event: Event, foreign_event: Event, is_addon: bool | None, names: str
) -> None:
    """A list and its count hold the event's own categories of the kind asked for."""
    async with database.write() as connection:
        for name in "abc":
            await create(connection, event, name, is_addon=name == "b")
        await create(connection, foreign_event, "f", is_addon=True)
        await create(connection, foreign_event, "g", is_addon=False)
    async with database.read() as connection:
        listed = await categories.list_(connection, event.id, ALL, is_addon=is_addon)
        assert "".join(category.name["en"] for category in listed) == names
        counted = await categories.count(connection, event.id, is_addon=is_addon)
    assert counted == len(names)


@pytest.mark.parametrize("values", CHANGES.values(), ids=CHANGES)
async def test_a_change_sets_what_it_names(
    database: Database, event: Event, values: dict[str, Any]
) -> None:
    """A change sets what it names, texts as a whole, and nothing else, in this category alone."""
    async with database.write() as connection:
        made = await create(connection, event, description={"en": "All tickets"}, position=5)
        other = await create(connection, event)
        changed = await categories.change(connection, event.id, made.id, values)
        assert changed is not None
        for column in categories.Category.__slots__:
            assert getattr(changed, column) == values.get(column, getattr(made, column))
        assert await categories.get(connection, event.id, made.id) == changed
        assert await categories.get(connection, event.id, other.id) == other


async def test_a_category_belongs_to_its_event(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """Another event can neither see, change nor delete it."""
    async with database.write() as connection:
        made = await create(connection, event)
        assert await categories.get(connection, foreign_event.id, made.id) is None
        assert await categories.change(connection, foreign_event.id, made.id, {}) is None
        values = {"position": 1}
        assert await categories.change(connection, foreign_event.id, made.id, values) is None
        assert await categories.remove(connection, foreign_event.id, made.id) is False
        assert await categories.get(connection, event.id, made.id) == made


async def test_a_category_is_removed_once(database: Database, event: Event) -> None:
    """It is gone, its neighbour stays, and its id is never given again."""
    async with database.write() as connection:
        kept = await create(connection, event)
        made = await create(connection, event)
        assert await categories.remove(connection, event.id, made.id) is True
        assert await categories.remove(connection, event.id, made.id) is False
        assert await categories.list_(connection, event.id, ALL) == [kept]
        assert (await create(connection, event)).id > made.id
