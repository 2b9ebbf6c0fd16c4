"""What the redirector's tests share."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.redirector.place import Place
from tracking import campaigns, tokens
from tracking.organizers import ensure_event


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that the redirector's process runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def place(short_dir: Path) -> Place:
    """A database with the campaigns `first` and `second`, private as the processes make it."""
    place = Place(short_dir)
    place.data.mkdir(mode=0o700)
    place.file.touch(mode=0o600)
    database = place.database()
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        for code in ("first", "second"):
            await campaigns.create(connection, event.id, description=code, code=code)
        await tokens.create(connection, event.organizer_id)
    await database.close()
    return place
