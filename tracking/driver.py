"""aiosqlite, with one trip to its thread for a statement where there would be four.

aiosqlite runs each call on a connection's own thread: to make a cursor, to execute, to fetch, to
close. SQLAlchemy makes all four for each statement, and each trip costs more than most statements
do. Here a cursor executes, fetches all rows and closes in one.

And a connection notices that its file was replaced, and keeps nobody waiting whose disk hangs.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

import aiosqlite
from aiosqlite.core import _connection_worker_thread  # the module's own way to run a connection

# aiosqlite's own default; it is for iterating over a cursor, which nobody does here.
_ITER_CHUNK_SIZE = 64
# A connection that is not closed within so many seconds hangs: on a dead disk, say.
_CLOSE_SECONDS = 1.0
# A statement that begins while another is interrupted does not notice: so it is done again.
_INTERRUPT_EVERY_SECONDS = 0.1
# So many may hang at a time. Each has a thread, which ends when its disk goes on.
MAX_HANGING = 8


@dataclass(frozen=True, slots=True)
class _Result:
    """What a statement left behind, under the names that Python's DB-API has for it (PEP 249)."""

    description: Any
    rowcount: int
    lastrowid: int | None
    rows: list[Any]


_NOTHING = _Result(None, -1, None, [])


class Opener:
    """Opens connections to one file, and knows those that hang."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._hanging: list[Thread] = []

    async def open(self, database: str, **options: Any) -> "Connection":
        """Opens a connection; when that fails, its thread has ended before the error is raised.

        aiosqlite leaves the thread behind, which prints a traceback when the event loop ends first.

        Args:
            database: a path or an SQLite URI.
            options: of `sqlite3.connect`.

        Raises:
            sqlite3.Error: it can't be opened, or too many hang already.
        """
        self._hanging[:] = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MAX_HANGING:
            raise sqlite3.OperationalError(f"{len(self._hanging)} connections hang")
        connection = Connection(self._file, self._hanging, database, **options)
        try:
            await connection
        except sqlite3.Error:
            connection.thread.join()
            raise
        except BaseException:  # nobody waits any more: the thread may be anywhere
            self._hanging.append(connection.thread)
            raise
        return connection


class Connection(aiosqlite.Connection):
    """A connection whose cursors make one trip a statement.

    Args:
        file: that is opened; when the path leads to another, or none, no transaction begins any
            more: what is written to a file without a name is lost.
        hanging: gets the thread, if it hangs when the connection is closed.
        database: the file's path or its SQLite URI.
        options: of `sqlite3.connect`.
    """

    def __init__(self, file: Path, hanging: list[Thread], database: str, **options: Any) -> None:
        super().__init__(partial(self._open, database, options), _ITER_CHUNK_SIZE)
        self._thread = Thread(target=_serve, args=(self._tx,), daemon=True)
        self._file = file
        self._hanging = hanging
        self._identity: tuple[int, int] | None = None

    def _open(self, database: str, options: dict[str, Any]) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(database, **options)
        try:
            self._identity = _identity(self._file)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Closes the connection, in one trip; one that hangs is closed when it goes on."""
        if self._running:
            closing = self.stop()
            if closing is not None:
                await asyncio.wait({closing}, timeout=_CLOSE_SECONDS)
                if not closing.done():
                    self._give_up()

    def abandon(self) -> None:
        """Closes it without waiting: somebody waited in vain for what it is at."""
        self.stop()
        self._give_up()

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()
        self._hanging.append(self.thread)

    @contextmanager
    def interrupted_after(self, seconds: float) -> Iterator[None]:
        """Interrupts the statements that run after so many seconds, to the end of the block.

        They fail with SQLite's "interrupted"; the connection stays usable.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def interrupt() -> None:
            nonlocal timer
            if self._connection is not None:
                self._connection.interrupt()
            timer = loop.call_later(_INTERRUPT_EVERY_SECONDS, interrupt)

        timer = loop.call_later(seconds, interrupt)
        try:
            yield
        finally:
            timer.cancel()

    def cursor(self) -> "Cursor":  # type: ignore[override] # aiosqlite's own is awaited
        """A cursor, without a trip."""
        return Cursor(self)

    @property
    def thread(self) -> Any:
        """The thread that all statements run on."""
        return self._thread

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """Executes a statement that is a transaction by itself; its rows."""
        result = await self.run(partial(self._fetch, sql, parameters))
        return result.rows

    def _fetch(
        self, sql: str, parameters: Sequence[Any], connection: sqlite3.Connection
    ) -> _Result:
        self.check_file()
        return _execute(sql, parameters, connection)

    def check_file(self) -> None:
        """To be called on the connection's thread.

        Raises:
            sqlite3.OperationalError: the path leads to another file, or none.
        """
        if _identity(self._file) != self._identity:
            raise sqlite3.OperationalError("the database's file was replaced")

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
        execute = self._begin if sql.startswith("BEGIN") else _execute
        self._result = await self._connection.run(partial(execute, sql, parameters))

    def _begin(
        self, sql: str, parameters: Sequence[Any], connection: sqlite3.Connection
    ) -> _Result:
        self._connection.check_file()
        return _execute(sql, parameters, connection)

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


def _serve(tx: SimpleQueue[Any]) -> None:
    """What the thread does: as aiosqlite's own, but it outlives the event loop.

    Whoever gave up a connection does not wait for it, and the loop may be closed when its statement
    comes to an end. Then nobody can be told, and what is left to do is to close it. The thread
    keeps the queue alone: one that is forgotten unclosed must be collected, which says so.
    """
    while True:
        try:
            _connection_worker_thread(tx)
        except RuntimeError:  # the event loop is closed
            if not tx.empty():
                continue
        return


def _identity(file: Path) -> tuple[int, int]:
    """What tells a file from another that has its name.

    Raises:
        sqlite3.OperationalError: there is none.
    """
    try:
        found = os.stat(file)  # noqa: PTH116 - a third of the time that Path takes
    except OSError as error:
        raise sqlite3.OperationalError(f"the database's file: {error.strerror}") from None
    return found.st_dev, found.st_ino


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
