"""The driver: a statement is one trip to the connection's thread."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tracking.driver import Connection


class CountingConnection(Connection):
    """Counts its trips."""

    trips = 0

    async def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """A trip, counted."""
        self.trips += 1
        return await super().run(work)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[CountingConnection]:
    """A connection to an empty file, with a table of two rows."""
    file = tmp_path / "test.db"
    connection = CountingConnection(file, [], str(file), isolation_level=None)
    await connection
    await connection.cursor().execute("CREATE TABLE numbers (id INTEGER PRIMARY KEY, name)")
    await connection.cursor().executemany(
        "INSERT INTO numbers (name) VALUES (?)", [("one",), ("two",)]
    )
    connection.trips = 0
    yield connection
    await connection.close()


async def test_rows_come_with_the_statement(connection: CountingConnection) -> None:
    """To execute, to fetch all rows and to close is one trip."""
    cursor = await connection.cursor().__aenter__()
    await cursor.execute("SELECT id, name FROM numbers WHERE id > ? ORDER BY id", (0,))
    assert [column[0] for column in cursor.description] == ["id", "name"]
    assert await cursor.fetchall() == [(1, "one"), (2, "two")]
    await cursor.close()
    assert connection.trips == 1


async def test_what_was_written_is_known(connection: CountingConnection) -> None:
    """Counts of rows and new ids are there after the trip, and rows that RETURNING gives."""
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO numbers (name) VALUES ('three') RETURNING id")
    assert (await cursor.fetchall(), cursor.lastrowid, cursor.rowcount) == ([(3,)], 3, 1)
    await cursor.execute("DELETE FROM numbers")
    assert (await cursor.fetchall(), cursor.description, cursor.rowcount) == ([], None, 3)
    assert connection.trips == 2


async def test_errors_come_back(connection: CountingConnection) -> None:
    """What SQLite refuses is raised where it was asked for."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.cursor().execute("SELECT * FROM absent")


def test_a_connection_outlives_the_event_loop(tmp_path: Path) -> None:
    """Who gave it up is gone when its statement ends: it is closed all the same, without a word."""
    file = tmp_path / "test.db"
    goes_on = threading.Event()
    left: list[threading.Thread] = []

    def hang(_: sqlite3.Connection) -> Any:
        goes_on.wait()

    async def give_up() -> Connection:
        connection = Connection(file, left, str(file))
        await connection
        waiting = asyncio.create_task(connection.run(hang))
        await asyncio.sleep(0)
        waiting.cancel()
        connection.abandon()
        return connection

    file.touch()
    connection = asyncio.run(give_up())
    goes_on.set()
    connection.thread.join()
    assert left == [connection.thread]
    assert connection._connection is None
