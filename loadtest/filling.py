"""A database with events of a given size, made in seconds.

The load test's other parts know Waymark by its API alone. There 100,000 objects would take minutes,
so that this part stands on `tracking`, whose tables it fills in a few statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, String, cast, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import tallies, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.search import searchable
from tracking.settings import Settings
from tracking.tables import campaign_texts, campaigns, categories
from tracking.tallies import Kind

ORGANIZER = "bench"
_POSITIONS = 50


@dataclass(frozen=True, slots=True)
class Filled:
    """What was made.

    Attributes:
        token: for everything.
        paths: of the events in the API, with a slash at the end, by size.
    """

    token: str
    paths: dict[int, str]


def open_database(directory: Path) -> Database:
    """The database in the directory, whatever the environment says."""
    return Database.of(Settings(data_dir=directory, database_url=None))


async def fill(directory: Path, sizes: Sequence[int]) -> Filled:
    """Makes a database in the directory, with one event of each size."""
    database = open_database(directory)
    await database.migrate()
    paths: dict[int, str] = {}
    async with database.write() as connection:
        for size in sizes:
            event = await ensure_event(connection, ORGANIZER, f"event-{size}")
            await _fill_event(connection, event.id, size)
            paths[size] = f"/api/v1/organizers/{ORGANIZER}/events/{event.slug}/"
        token = await tokens.create(connection, event.organizer_id)
    await database.close()
    return Filled(token, paths)


async def fill_links(directory: Path, sizes: Mapping[str, int]) -> str:
    """Makes a database in the directory, with events of so many campaigns, by their slugs.

    Returns:
        A token for everything.
    """
    database = open_database(directory)
    await database.migrate()
    async with database.write() as connection:
        for slug, size in sizes.items():
            event = await ensure_event(connection, ORGANIZER, slug)
            await _add_links(connection, event.id, slug, size)
            await tallies.add(connection, event.id, Kind.CAMPAIGN, size)
        token = await tokens.create(connection, event.organizer_id)
    await database.close()
    return token


def link(slug: str, number: int) -> str:
    """The path of a link that `fill_links` makes; they are numbered from 0."""
    return f"/{ORGANIZER}/{slug}/c/{slug}-{number}/"


async def _add_links(connection: AsyncConnection, event_id: int, slug: str, size: int) -> None:
    """One statement: a million of them take seconds, and no memory."""
    numbers = select(literal(0).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(
        select(numbers.c.number + 1).where(numbers.c.number + 1 < size),
    )
    number = cast(numbers.c.number, String)
    row: dict[str, ColumnElement[int] | ColumnElement[str]] = {
        "event_id": literal(event_id),
        "code": literal(f"{slug}-") + number,
        "description": literal("Campaign number ") + number,
        "external_target": literal("https://tickets.example/?number=") + number,
        "order_count": literal(0),
        "click_count": literal(0),
    }
    await connection.execute(insert(campaigns).from_select(list(row), select(*row.values())))


async def _fill_event(connection: AsyncConnection, event_id: int, size: int) -> None:
    await connection.execute(
        insert(campaigns),
        [
            {
                "event_id": event_id,
                "code": f"{event_id}-{number}",
                "description": f"Campaign number {number}",
                "external_target": f"https://tickets.example/?number={number}",
                "order_count": 0,
                "click_count": number,
            }
            for number in range(size)
        ],
    )
    made = select(campaigns).where(campaigns.c.event_id == event_id)
    await connection.execute(
        insert(campaign_texts),
        [
            {
                "event_id": event_id,
                "campaign_id": row.id,
                "text": searchable(row.code, row.description, row.external_target),
            }
            for row in await connection.execute(made)
        ],
    )
    await connection.execute(
        insert(categories),
        [
            {
                "event_id": event_id,
                "name": {"en": f"Category {number}", "de": f"Kategorie {number}"},
                "internal_name": None,
                "description": {"en": "What these tickets are for. " * 5},
                "position": number % _POSITIONS,
                "is_addon": number % 2 == 0,
            }
            for number in range(size)
        ],
    )
    add_ons = (size + 1) // 2
    for kind, amount in (
        (Kind.CAMPAIGN, size),
        (Kind.ADD_ON_CATEGORY, add_ons),
        (Kind.CATEGORY, size - add_ons),
    ):
        await tallies.add(connection, event_id, kind, amount)
