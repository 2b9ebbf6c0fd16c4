"""A query that takes too long is interrupted, and nobody else notices."""

import asyncio

import pytest

from tests.tracking.test_database import ENDLESS
from tracking.database import Database
from tracking.errors import QueryTimeoutError
from tracking.pools import READERS


async def test_a_slow_query_is_interrupted_alone(database: Database) -> None:
    """More often than there are connections; a transaction beside it goes on, on the same pools."""
    async with database.read() as beside:
        for _ in range(READERS + 1):
            with pytest.raises(QueryTimeoutError):
                async with database.read(interrupt_after=0.05) as connection:
                    await connection.exec_driver_sql(ENDLESS)
        one = await beside.exec_driver_sql("SELECT 1")
        assert one.scalar_one() == 1
    assert not database._pools.failed
    assert database._pools.readers.pool.checkedin() == 2  # type: ignore[attr-defined] # a QueuePool


async def test_what_begins_later_is_interrupted_too(database: Database) -> None:
    """The time ends between two queries: it is the whole transaction's."""

    async def read() -> None:
        async with database.read(interrupt_after=0.05) as connection:
            await connection.exec_driver_sql("SELECT 1")
            await asyncio.sleep(0.1)
            await connection.exec_driver_sql(ENDLESS)

    with pytest.raises(QueryTimeoutError):
        await read()


async def test_after_its_end_nothing_is_interrupted(database: Database) -> None:
    """Those that ended in time left no timer behind."""
    for _ in range(READERS):
        async with database.read(interrupt_after=0.05) as connection:
            await connection.exec_driver_sql("SELECT 1")
    long = ENDLESS.replace("FROM n)", "FROM n WHERE i < 3000000)")
    async with database.read() as connection:
        counted = await connection.exec_driver_sql(long)
    assert counted.scalar_one() == 3000000
