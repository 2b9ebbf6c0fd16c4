"""Lists: any part of them, read from the nearer end, from an index, whatever their length."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.engine import Connection, Engine

from tracking import campaigns, categories, organizers
from tracking.database import Database
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.window import Window

ORDERINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "id": ("id",),
    "-id": ("-id",),
    "position": ("position",),
    "-position": ("-position",),
    "position,id": ("position", "id"),
    "-position,id": ("-position", "id"),
    "-position,-id": ("-position", "-id"),
    "id,position": ("id", "position"),
    "position,-position": ("position", "-position"),
}
KINDS = {"both kinds": None, "add-ons": True, "others": False}


@dataclass(frozen=True, slots=True)
class Statement:
    """What was asked of SQLite."""

    sql: str
    parameters: tuple[Any, ...]


@contextmanager
def recorded(settings: Settings) -> Iterator[list[Statement]]:
    """The queries of the block to the settings' database, without those that begin and end
    transactions. An API that another test has left running asks for things of its own."""
    statements: list[Statement] = []

    def note(
        connection: Connection, _: object, sql: str, parameters: tuple[Any, ...], *__: object
    ) -> None:
        if sql.startswith("SELECT") and str(settings.database_path) in str(
            connection.engine.url.database
        ):
            statements.append(Statement(sql, parameters))

    sql_event.listen(Engine, "before_cursor_execute", note)
    yield statements
    sql_event.remove(Engine, "before_cursor_execute", note)


def plan(settings: Settings, statement: Statement) -> list[str]:
    """How SQLite answers it."""
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters)
        return [detail for *_, detail in rows]


async def fill(database: Database, event: Event, number: int) -> None:
    """Makes so many campaigns and categories, some of them at the same position."""
    async with database.write() as connection:
        for each in range(number):
            await campaigns.create(connection, event.id, description=str(each))
            await categories.create(
                connection,
                event.id,
                name={"en": str(each)},
                internal_name=None,
                description=None,
                position=each % 3,
                is_addon=each % 2 == 0,
            )


@pytest.mark.parametrize("number", [0, 1, 2, 5, 6])
async def test_any_window_is_the_same_from_either_end(
    database: Database, event: Event, number: int
) -> None:
    """Knowing the length of a list changes how a part is read, and never what is in it."""
    await fill(database, event, number)
    async with database.read() as connection:
        for ordering in ORDERINGS.values():
            everything = await categories.list_(
                connection, event.id, Window(0, number), ordering=ordering
            )
            assert len(everything) == number
            for offset, limit in product(range(number + 1), range(1, number + 2)):
                window = Window(offset, limit, total=number)
                found = await categories.list_(connection, event.id, window, ordering=ordering)
                assert found == everything[offset : offset + limit], (ordering, window)
        for names in ((), *CAMPAIGN_ORDERINGS):
            whole = Window(0, number)
            listed = await campaigns.list_(connection, event.id, whole, ordering=names)
            assert len(listed) == number
            for offset, limit in product(range(number + 1), range(1, number + 2)):
                window = Window(offset, limit, total=number)
                part = await campaigns.list_(connection, event.id, window, ordering=names)
                assert part == listed[offset : offset + limit], (names, window)


@pytest.mark.parametrize("ordering", ORDERINGS.values(), ids=ORDERINGS)
@pytest.mark.parametrize("is_addon", KINDS.values(), ids=KINDS)
async def test_a_page_of_categories_is_read_from_an_index(
    database: Database,
    event: Event,
    settings: Settings,
    ordering: tuple[str, ...],
    is_addon: bool | None,
) -> None:
    """One query, which an index answers in order: no table is scanned, and nothing sorted."""
    condition = "(event_id=?)" if is_addon is None else "(event_id=? AND is_addon=?)"
    async with database.read() as connection:
        for offset in (0, 50_000, 99_990):
            window = Window(offset, 10, total=100_000)
            with recorded(settings) as statements:
                await categories.list_(
                    connection, event.id, window, is_addon=is_addon, ordering=ordering
                )
            [statement] = statements
            [step] = plan(settings, statement)
            assert step.startswith("SEARCH categories USING INDEX ix_categories_event_id_")
            assert step.endswith(condition)


EVENT_ORDERINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "-slug": ("-slug",),
    "date_from": ("date_from",),
    "-date_from,-slug": ("-date_from", "-slug"),
}


@pytest.mark.parametrize("ordering", EVENT_ORDERINGS.values(), ids=EVENT_ORDERINGS)
async def test_a_page_of_events_is_read_from_an_index(
    database: Database, event: Event, settings: Settings, ordering: tuple[str, ...]
) -> None:
    """No table is scanned, and nothing sorted."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            window = Window(50, 50, total=100)
            await organizers.list_events(connection, event.organizer_id, window, ordering=ordering)
    [statement] = statements
    steps = plan(settings, statement)
    assert not any("SCAN" in step or "TEMP" in step for step in steps), steps


@pytest.mark.parametrize("offset", [0, 50_000, 99_990], ids=["first", "middle", "last"])
async def test_a_page_of_campaigns_is_read_from_an_index(
    database: Database, event: Event, settings: Settings, offset: int
) -> None:
    """One query, which an index answers in order: no table is scanned, and nothing sorted."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            await campaigns.list_(connection, event.id, Window(offset, 10, total=100_000))
    [statement] = statements
    assert plan(settings, statement) == [
        "SEARCH campaigns USING INDEX ix_campaigns_event_id_id (event_id=?)"
    ]


INDEX = "SEARCH campaigns USING COVERING INDEX ix_campaigns_event_id"
# How the rows of an ordered page are found: from an index, with a sort of what is equal at most.
CAMPAIGN_ORDERINGS: dict[tuple[str, ...], str] = {
    ("id",): "_id",
    ("-id",): "_id",
    ("code",): "_code",
    ("-code",): "_code",
    ("description",): "_description_id_desc",
    ("-description",): "_description_id_desc, ties",
    ("order_count",): "_order_count_id, ties",
    ("-order_count",): "_order_count_id",
    ("click_count",): "_click_count_id, ties",
    ("-click_count",): "_click_count_id",
    ("-click_count", "id"): "_click_count_id, ties",
    ("click_count", "id"): "_click_count_id",
}


def parts(settings: Settings, statement: Statement) -> tuple[list[str], list[str]]:
    """The steps of a query itself, and those of the queries within it."""
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters)
        steps = [(parent, detail) for _, parent, _, detail in rows]
    outer = [detail for parent, detail in steps if parent == 0]
    return outer, [detail for parent, detail in steps if parent != 0]


@pytest.mark.parametrize(
    ("ordering", "index"), CAMPAIGN_ORDERINGS.items(), ids=map(",".join, CAMPAIGN_ORDERINGS)
)
async def test_an_ordered_page_of_campaigns_is_read_from_an_index(
    database: Database,
    event: Event,
    settings: Settings,
    ordering: tuple[str, ...],
    index: str,
) -> None:
    """Which ten campaigns are on it, says the index alone; then these are looked up."""
    name, _, ties = index.partition(", ")
    for offset in (0, 50_000, 99_990):
        window = Window(offset, 10, total=100_000)
        async with database.read() as connection:
            with recorded(settings) as statements:
                await campaigns.list_(connection, event.id, window, ordering=ordering)
        [statement] = statements
        outer, inner = parts(settings, statement)
        assert outer[0] == "SEARCH campaigns USING INTEGER PRIMARY KEY (rowid=?)"
        assert inner[0] == f"{INDEX}{name} (event_id=?)"
        assert len(inner) == (2 if ties else 1)
        assert "USE TEMP B-TREE FOR ORDER BY" not in inner


COLUMNS = ("id", "click_count", "order_count", "code", "description")
EVERY_TWO = [
    (f"{sign}{one}", f"{other_sign}{other}")
    for one, other in permutations(COLUMNS, 2)
    for sign, other_sign in product(("", "-"), repeat=2)
]


async def test_every_order_and_search_of_campaigns_is_bounded(
    database: Database, event: Event, settings: Settings
) -> None:
    """Whatever is asked, only the event's own campaigns are read, and what is sorted is narrow."""
    window = Window(50, 50, total=100_000)
    async with database.read() as connection:
        for ordering, search in product(EVERY_TWO, ("", "a")):
            with recorded(settings) as statements:
                await campaigns.list_(
                    connection, event.id, window, ordering=ordering, search=search
                )
                await campaigns.count(connection, event.id, search=search)
            for statement in statements:
                steps = [step for part in parts(settings, statement) for step in part]
                assert not any(step.startswith("SCAN") for step in steps), (ordering, steps)
            outer, _ = parts(settings, statements[0])
            assert outer[0] == "SEARCH campaigns USING INTEGER PRIMARY KEY (rowid=?)", ordering


async def test_a_code_is_looked_up(database: Database, event: Event, settings: Settings) -> None:
    """Both the page and the count of a list with one code."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            await campaigns.list_(connection, event.id, Window(0, 50), code="poster")
            await campaigns.count(connection, event.id, code="poster")
    for statement in statements:
        [step] = plan(settings, statement)
        assert "code=?" in step


# What a list of 100,000 is asked for, and how many entries of the index that skips.
SKIPPED = {
    "first": (0, 0),
    "second": (50, 50),
    "middle": (50_000, 50_000),
    "middle, beyond": (50_050, 49_900),
    "the last but one": (99_900, 50),
    "last": (99_950, 0),
}


@pytest.mark.parametrize(("offset", "skipped"), SKIPPED.values(), ids=SKIPPED)
async def test_the_nearer_end_is_where_reading_begins(
    database: Database, event: Event, settings: Settings, offset: int, skipped: int
) -> None:
    """The last page skips as little as the first, and none skips more than half of the list."""
    window = Window(offset, 50, total=100_000)
    async with database.read() as connection:
        with recorded(settings) as statements:
            await campaigns.list_(connection, event.id, window)
            await categories.list_(connection, event.id, window)
    for statement in statements:
        assert statement.parameters[-2:] == (50, skipped)


async def test_a_short_last_page_is_read_alone(
    database: Database, event: Event, settings: Settings
) -> None:
    """No more than what is on it."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            await campaigns.list_(connection, event.id, Window(100, 50, total=103))
    assert statements[0].parameters[-2:] == (3, 0)


@pytest.mark.parametrize("is_addon", KINDS.values(), ids=KINDS)
async def test_counting_reads_no_items(
    database: Database, event: Event, settings: Settings, is_addon: bool | None
) -> None:
    """A count is looked up by its key, however long the list."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            await campaigns.count(connection, event.id)
            await categories.count(connection, event.id, is_addon=is_addon)
    for statement in statements:
        assert plan(settings, statement) == [
            "SEARCH tallies USING PRIMARY KEY (event_id=? AND kind=?)"
        ]


EVERY_ORDER = [
    (),
    *((f"{sign}{column}",) for column in COLUMNS for sign in ("", "-")),
    *EVERY_TWO,
    ("description", "-order_count", "click_count"),
]


async def test_an_order_is_expensive_when_it_is_sorted(
    database: Database, event: Event, settings: Settings
) -> None:
    """As SQLite itself says it for each order."""
    expensive = []
    async with database.read() as connection:
        for ordering in EVERY_ORDER:
            with recorded(settings) as statements:
                await campaigns.list_(connection, event.id, Window(0, 50), ordering=ordering)
            [statement] = statements
            steps = parts(settings, statement)[1] or plan(settings, statement)
            is_sorted = any("TEMP B-TREE" in step for step in steps)
            assert campaigns.is_expensive(ordering=ordering) == is_sorted, (ordering, steps)
            expensive.append(is_sorted)
    assert set(expensive) == {True, False}
    assert campaigns.is_expensive(search="a")
    assert not campaigns.is_expensive(code="a", ordering=("description", "code"))


@pytest.mark.parametrize("ordering", [(), *product(("slug", "-slug", "date_from", "-date_from"))])
async def test_an_order_of_events_is_expensive_when_it_is_sorted(
    database: Database, event: Event, settings: Settings, ordering: tuple[str, ...]
) -> None:
    """Likewise."""
    async with database.read() as connection:
        with recorded(settings) as statements:
            await organizers.list_events(
                connection, event.organizer_id, Window(0, 50), ordering=ordering
            )
    [statement] = statements
    is_sorted = any("TEMP B-TREE" in step for step in plan(settings, statement))
    assert organizers.lists_expensively(ordering=ordering) == is_sorted
