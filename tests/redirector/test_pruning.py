"""What the flusher tidies away beside its work."""

import sqlite3
import time
from contextlib import closing

import pytest

from tests.processes import started
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking import clicks
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings
from tracking.tokens import create

HOUR = 3600

# What a row is of, and how one is made with a name and a time.
TABLES = {
    "campaign_changes": "INSERT INTO campaign_changes (code, changed_at) VALUES (?, ?)",
    "idempotency_keys": (
        "INSERT INTO idempotency_keys (token_id, key, claim, changed_at) VALUES (1, ?, '', ?)"
    ),
}
NAMES = {"campaign_changes": "code", "idempotency_keys": "key"}


async def test_the_ledger_is_kept_for_a_year(
    database: Database, settings: Settings, redis: RedisServer
) -> None:
    """Writers that ended before become one row, so that the sum of all stays."""
    assert await _is_empty(database)
    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other:
        for name, days in (("ancient", 500), ("old", 367), ("young", 365)):
            other.execute(
                "INSERT INTO writers VALUES (?, 9, 0, 5, ?)", [name, time.time() - 24 * HOUR * days]
            )
        other.commit()

    def ledger() -> dict[str, int]:
        with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other:
            return dict(other.execute("SELECT id, clicks FROM writers"))

    environment = {"DATA_DIR": str(settings.data_dir), "REDIS_URL": redis.url}
    with started("redirector.flusher", **environment):
        await until(lambda: "old" not in ledger())
    assert ledger() == {"earlier writers": 10, "young": 5}


async def _is_empty(database: Database) -> bool:
    async with database.read() as connection:
        return await clicks.ledger(connection) == clicks.Ledger(0, 0, 0)


@pytest.mark.parametrize("table", TABLES)
async def test_what_is_over_a_day_old_is_deleted(
    database: Database, settings: Settings, redis: RedisServer, table: str
) -> None:
    """Soon after a start; what is younger stays."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        await create(connection, event.organizer_id)

    def names() -> list[str]:
        with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other:
            return [name for (name,) in other.execute(f"SELECT {NAMES[table]} FROM {table}")]

    with closing(sqlite3.connect(settings.data_dir / "waymark.db")) as other:
        for name, age in (("old", 25 * HOUR), ("young", 23 * HOUR)):
            other.execute(TABLES[table], [name, time.time() - age])
        other.commit()
    environment = {"DATA_DIR": str(settings.data_dir), "REDIS_URL": redis.url}
    with started("redirector.flusher", **environment):
        await until(lambda: "old" not in names())
    assert names() == ["young"]
