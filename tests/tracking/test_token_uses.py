"""When tokens were used: what is written, when it is not, and what it never waits for."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

from tracking import tokens
from tracking.database import Database
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.token_uses import PRECISION, TokenUses
from tracking.tokens import Token


@pytest.fixture
async def token(database: Database, event: Event) -> Token:
    """A token that was never used."""
    async with database.write() as connection:
        await tokens.create(connection, event.organizer_id)
        [made] = await tokens.list_(connection, event.organizer_id)
    return made


async def last_use(database: Database, token: Token) -> float | None:
    """What is stored."""
    async with database.read() as connection:
        [stored] = await tokens.list_(connection, token.organizer_id)
    return stored.last_used_at


@pytest.mark.parametrize(
    ("age", "written"),
    [
        (None, True),
        (0.0, False),
        (PRECISION - 60, False),
        (PRECISION + 60, True),
        (60 - PRECISION, False),
        (-PRECISION - 60, True),
    ],
    ids=["never", "now", "lately", "long ago", "soon", "in the far future"],
)
async def test_a_use_is_written_when_the_last_is_old(
    database: Database, token: Token, age: float | None, written: bool
) -> None:
    """What a request read with its token decides: ten minutes are near enough."""
    before = time.time()
    uses = TokenUses(database)
    uses.note(replace(token, last_used_at=None if age is None else before - age))
    await uses.close()
    stored = await last_use(database, token)
    assert (stored is not None) == written
    assert stored is None or stored >= before


async def test_a_locked_database_is_not_waited_for(
    settings: Settings, database: Database, token: Token
) -> None:
    """However patient the process's other writes are; soon after it is not tried again."""
    patient = Database(settings.sql_url, timeout=60)
    uses = TokenUses(patient)
    path = settings.data_dir / "waymark.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        uses.note(token)
        async with asyncio.timeout(30):
            await uses.close()
        other.execute("ROLLBACK")
    assert await last_use(database, token) is None
    uses.note(token)
    await uses.close()
    assert await last_use(database, token) is None
    another = TokenUses(patient)
    another.note(token)
    await another.close()
    assert await last_use(database, token) is not None
    await patient.close()
