"""A database with events of a given size, made in seconds.

The load test's other parts know Waymark by its API alone. There 100,000 objects would take minutes,
so that this part stands on `tracking`, whose tables it fills in a few statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import tallies, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.tables import campaigns, categories
from tracking.tallies import Kind

_ORGANIZER = "bench"
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


async def fill(directory: Path, sizes: Sequence[int]) -> Filled:
    """Makes a database in the directory, with one event of each size."""
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    paths: dict[int, str] = {}
    async with database.write() as connection:
        for size in sizes:
            event = await ensure_event(connection, _ORGANIZER, f"event-{size}")
            await _fill_event(connection, event.id, size)
            paths[size] = f"/api/v1/organizers/{_ORGANIZER}/events/{event.slug}/"
        token = await tokens.create(connection, event.organizer_id)
    await database.close()
    return Filled(token, paths)


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
