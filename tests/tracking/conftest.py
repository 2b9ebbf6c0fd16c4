"""What the tests of the domain share."""

import pytest

from tracking.database import Database
from tracking.organizers import Event, ensure_event


@pytest.fixture
async def event(database: Database) -> Event:
    """The event `summer` of the organizer `acme`."""
    async with database.write() as connection:
        return await ensure_event(connection, "acme", "summer")


@pytest.fixture
async def foreign_event(database: Database) -> Event:
    """An event of the same name, of another organizer."""
    async with database.write() as connection:
        return await ensure_event(connection, "zenith", "summer")
