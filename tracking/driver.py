"""aiosqlite, with one trip to its thread for a statement where there would be four.

aiosqlite runs each call on a connection's own thread: to make a cursor, to execute, to fetch, to
close. SQLAlchemy makes all four for each statement, and each trip costs more than most statements
do. Here a cursor executes, fetches all rows and closes in one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import aiosqlite

# aiosqlite's own default; it is for iterating over a cursor, which nobody does here.
_ITER_CHUNK_SIZE = 64


@dataclass(frozen=True, slots=True)
class _Result:
    """What a statement left behind, under the names that Python's DB-API has for it (PEP 249)."""

    description: Any
    rowcount: int
    lastrowid: int | None
    rows: list[Any]


_NOTHING = _Result(None, -1, None, [])


class Connection(aiosqlite.Connection):
    """A connection whose cursors make one trip a statement.

    Args:
        database: a path or an SQLite URI.
        options: of `sqlite3.connect`.
    """

    def __init__(self, database: str, **options: Any) -> None:
        super().__init__(partial(sqlite3.connect, database, **options), _ITER_CHUNK_SIZE)

    def cursor(self) -> "Cursor":  # type: ignore[override] # aiosqlite's own is awaited
        """A cursor, without a trip."""
        return Cursor(self)

    @property
    def thread(self) -> Any:
        """The thread that all statements run on."""
        return self._thread

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """Executes a statement; its rows."""
        result = await self.run(partial(_execute, sql, parameters))
        return result.rows

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Runs something on the connection's thread."""
        # aiosqlite's own way to its thread, which it does not annotate.
        result: _Result = await self._execute(  # type: ignore[no-untyped-call]
            lambda: work(self._conn)
        )
        return result


class Cursor:
    """The part of aiosqlite's cursor that SQLAlchemy uses."""

    def __init__(self, connection: Connection) -> None:
        self.arraysize = 1
        self._connection = connection
        self._result = _NOTHING

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Executes a statement and fetches all its rows."""
        self._result = await self._connection.run(partial(_execute, sql, parameters))

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Executes a statement once for each row of parameters."""
        self._result = await self._connection.run(partial(_execute_many, sql, parameters))

    async def fetchall(self) -> list[Any]:
        """The rows that were fetched."""
        return self._result.rows

    async def close(self) -> None:
        """Nothing is left to close."""

    @property
    def description(self) -> Any:
        """The columns; None for a statement that has no rows."""
        return self._result.description

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        return self._result.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The id of the last row that was inserted."""
        return self._result.lastrowid


def _execute(sql: str, parameters: Sequence[Any], connection: sqlite3.Connection) -> _Result:
    return _finished(connection.execute(sql, parameters))


def _execute_many(
    sql: str, parameters: Sequence[Sequence[Any]], connection: sqlite3.Connection
) -> _Result:
    return _finished(connection.executemany(sql, parameters))


def _finished(cursor: sqlite3.Cursor) -> _Result:
    rows = cursor.fetchall() if cursor.description else []
    result = _Result(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    cursor.close()
    return result
