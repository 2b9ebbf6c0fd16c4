"""The flusher's reports."""

import time

import pytest

from tracking import heartbeat
from tracking.database import Database


async def test_a_flusher_that_never_ran_has_no_heartbeat(database: Database) -> None:
    """Before the first report there is none."""
    async with database.read() as connection:
        assert await heartbeat.last(connection) is None


@pytest.mark.parametrize("redis_reachable", [True, False])
async def test_the_last_report_counts(database: Database, redis_reachable: bool) -> None:
    """A report replaces the one before, with the time it was made at."""
    before = time.time()
    async with database.write() as connection:
        await heartbeat.beat(connection, redis_reachable=not redis_reachable)
        await heartbeat.beat(connection, redis_reachable=redis_reachable)
    async with database.read() as connection:
        last = await heartbeat.last(connection)
        rows = await connection.exec_driver_sql("SELECT count(*) FROM flusher_status")
        assert rows.scalar_one() == 1
    assert last is not None
    assert last.redis_reachable is redis_reachable
    assert before <= last.seen_at <= time.time()
