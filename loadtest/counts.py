"""How many clicks were counted, as SQL has it: for databases too large to be read by the API."""

import asyncio
from pathlib import Path

from sqlalchemy import func, select

from loadtest.filling import open_database
from tracking.tables import campaigns, events


def read_counts(directory: Path) -> dict[str, int]:
    """The sum of `click_count` for each event, by its slug."""
    return asyncio.run(_read(directory))


async def _read(directory: Path) -> dict[str, int]:
    database = open_database(directory)
    query = (
        select(events.c.slug, func.sum(campaigns.c.click_count).label("clicks"))
        .join_from(events, campaigns)
        .group_by(events.c.slug)
    )
    try:
        async with database.read() as connection:
            rows = await connection.execute(query)
            return {row.slug: row.clicks for row in rows}
    finally:
        await database.close()
