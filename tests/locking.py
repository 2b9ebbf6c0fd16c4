"""A database that somebody else has locked."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path


@asynccontextmanager
async def locked(file: Path) -> AsyncIterator[sqlite3.Connection]:
    """In the block another program has begun to write, on the connection that this yields.

    It begins when no write is under way. That may be one of the event loop it runs in, which must
    go on meanwhile for the write to end.
    """
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
        while True:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                await asyncio.sleep(0.01)
            else:
                break
        yield other


async def execute(file: Path, statement: str, *values: object) -> None:
    """Another program writes, once it has the lock."""
    async with locked(file) as other:
        other.execute(statement, values)
        other.execute("COMMIT")
