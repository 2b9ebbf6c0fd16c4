"""The engine and its transactions: the only place that knows which SQL database it is.

SQLite in WAL mode: readers are opened read-only and never block; there is one writing connection a
process, and each write is one `BEGIN IMMEDIATE` transaction, so that it waits for the lock at its
start and never fails in the middle.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, ColumnElement, Connection, Select, Table, event, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from tracking import changelog, driver, schema
from tracking.data_dir import make_directory
from tracking.database_lock import DatabaseLock
from tracking.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    NoDatabaseError,
)
from tracking.settings import Settings

logger = logging.getLogger(__name__)

READERS = 4
# KiB of pages that a connection keeps at most: SQLite's default; and what the rows of a flush need
# that lie all over a large table. With less it writes pages early, and reads them again.
_CACHE = 2_000
_FLUSH_CACHE = 32_000

Transaction = AsyncConnection
"""What queries are given: a name for those who must not know SQLAlchemy."""


class Lookup:
    """A query for the rows in which a column has one of some values.

    It is made into SQL once for each power of two of values, so that the driver, too, meets the
    same few statements and has them prepared.
    """

    def __init__(self, query: Select[Any], column: ColumnElement[str]) -> None:
        self._query = query
        self._column = column
        self._statements: dict[int, str] = {}

    def statement(self, values: Sequence[str]) -> tuple[str, Sequence[str]]:
        """The SQL for these values, and its parameters: the last value is there as often as needed.

        Args:
            values: one at least.
        """
        size = 1 << (len(values) - 1).bit_length()
        sql = self._statements.get(size)
        if sql is None:
            query = self._query.where(self._column.in_([""] * size))
            options = {"render_postcompile": True}
            sql = str(query.compile(dialect=sqlite.dialect(), compile_kwargs=options))
            self._statements[size] = sql
        return sql, [*values, *[values[-1]] * (size - len(values))]


class Database:
    """The database of one process.

    Args:
        url: SQLAlchemy URL of a SQLite file.
        timeout: seconds to wait for a lock, or for a connection of the pool.
        shared: whether it is to be kept from being replaced by a restore.

    Raises:
        DatabaseInUseError: a restore is at work.
    """

    def __init__(self, url: str, timeout: float, *, shared: bool = False) -> None:
        writable = make_url(url)
        self._path = Path(writable.database or "")
        self._lock = DatabaseLock(self._path) if shared else None
        if self._lock is not None and self._path.exists():
            self._lock.share()
        self._timeout = timeout
        file = f"file:{_quoted(self._path)}"
        read_only = writable.set(database=file, query={"mode": "ro", "uri": "true"})
        self._readers = _engine(read_only, timeout, pool_size=READERS, begin="BEGIN")
        self._writer = _engine(
            writable, timeout, pool_size=1, begin="BEGIN IMMEDIATE", cache=_FLUSH_CACHE
        )
        self._impatient_writer = _engine(writable, 0, pool_size=1, begin="BEGIN IMMEDIATE")
        # For lookups: a connection of their own, opened when it is needed.
        self._lookup_uri = f"{file}?mode=ro"
        self._lookup_turn = asyncio.Lock()
        self._lookup_connection: driver.Connection | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database that the settings name."""
        return cls(settings.sql_url, settings.database_timeout, shared=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A read transaction: what it sees does not change while it lasts.

        Raises:
            DatabaseUnavailableError: SQL can't be used now.
        """
        with _translated_errors():
            async with self._readers.connect() as connection:
                yield connection

    async def look_up(self, lookup: Lookup, values: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """The rows that a lookup finds for these values, as the driver has them.

        It is one trip to a connection that is kept, where a read transaction takes SQLAlchemy three
        and more time than the query. Lookups take turns.

        Args:
            values: one at least.

        Raises:
            DatabaseUnavailableError: SQL can't be used now.
        """
        sql, parameters = lookup.statement(values)
        async with self._lookup_turn:
            with _translated_errors():
                if self._lookup_connection is None:
                    self._lookup_connection = await _connect(
                        self._lookup_uri, uri=True, timeout=self._timeout, isolation_level=None
                    )
                try:
                    return await self._lookup_connection.fetch(sql, parameters)
                except sqlite3.Error:
                    await self._close_lookup_connection()
                    raise

    @asynccontextmanager
    async def write(self, by: str = changelog.SOMEBODY) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed at the end, rolled back when an exception leaves it.

        Args:
            by: who writes, in words, for the log of changes.

        Raises:
            DatabaseBusyError: it stayed locked for the whole time-out.
            DatabaseUnavailableError: SQL can't be used now.
        """
        with _translated_errors():
            async with self._writer.begin() as connection:
                with changelog.collected(connection) as notes:
                    yield connection
        changelog.tell(by, notes)

    @asynccontextmanager
    async def write_if_idle(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction that waits for no other: for what can be left out.

        Raises:
            DatabaseBusyError: somebody else is writing.
            DatabaseUnavailableError: SQL can't be used now.
        """
        with _translated_errors():
            async with self._impatient_writer.begin() as connection:
                yield connection

    async def require(self) -> None:
        """Makes sure that the database is there, for what must not make an empty one.

        Raises:
            NoDatabaseError: there is no file, or it was never Waymark's.
            DatabaseUnavailableError: SQL can't be used now.
        """
        if not self._path.exists():
            raise NoDatabaseError(
                f"there is no database {self._path} (settings DATA_DIR and DATABASE_URL)"
            )
        async with self.read() as connection:
            if await connection.run_sync(schema.revision) is None:
                raise NoDatabaseError(f"{self._path} is no database of Waymark's")

    async def migrate(self) -> None:
        """Brings the schema up to this version; safe when several processes call it at once.

        Raises:
            WaymarkError: the database's directory can't be written.
            DatabaseInUseError: a restore is at work.
            SchemaError: the database is newer than this program.
            DatabaseUnavailableError: SQL can't be used now.
        """
        make_directory(self._path.parent)
        if self._lock is not None:
            self._lock.share()
        if self._path.exists():
            async with self.read() as connection:
                journal = await connection.exec_driver_sql("PRAGMA journal_mode")
                in_wal = journal.scalar_one() == "wal"  # a copied backup is not
                if await connection.run_sync(schema.is_current) and in_wal:
                    return
        await self._use_wal()
        async with self.write() as connection:
            if not await connection.run_sync(schema.is_current):
                await connection.run_sync(schema.upgrade)
                logger.info("the database's schema is up to date")

    async def migrate_when_possible(self) -> None:
        """`migrate`, tried until SQL can be used; says once in the log that it waits."""
        waiting = False
        while True:
            try:
                await self.migrate()
            except DatabaseUnavailableError as error:
                if not waiting:
                    logger.warning("waiting for the database: %s", error)
                    waiting = True
                await asyncio.sleep(0.5)
            else:
                if waiting:
                    logger.info("the database can be used now")
                return

    async def close(self) -> None:
        """Closes all connections."""
        await self._readers.dispose()
        await self._writer.dispose()
        await self._impatient_writer.dispose()
        # A lookup that hangs, on a dead disk say, must not hold up who wants to stop.
        if not self._lookup_turn.locked():
            await self._close_lookup_connection()
        if self._lock is not None:
            self._lock.release()

    async def _close_lookup_connection(self) -> None:
        connection, self._lookup_connection = self._lookup_connection, None
        if connection is not None:
            await connection.close()

    async def _use_wal(self) -> None:
        """Switches the file to WAL, which it then keeps.

        The switch needs the file for itself and does not wait for it (SQLite's busy handler is not
        called there), so that of several first starts all but one try again.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                with _translated_errors():
                    async with self._writer.connect() as connection:
                        autocommit = await connection.execution_options(
                            isolation_level="AUTOCOMMIT"
                        )
                        await autocommit.exec_driver_sql("PRAGMA journal_mode = WAL")
            except DatabaseBusyError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return


def upsert(table: Table) -> sqlite.Insert:
    """An INSERT that can say `on_conflict_do_nothing` or `on_conflict_do_update`."""
    return sqlite.insert(table)


async def insert_many(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts rows, each with a value for every column in the table's order, as the driver takes
    them: for many rows that is twice as fast as with a dictionary for each."""
    if rows:
        statement = insert(table).compile(dialect=connection.dialect)
        await connection.exec_driver_sql(str(statement), list(rows))


def _engine(
    url: URL, timeout: float, *, pool_size: int, begin: str, cache: int = _CACHE
) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout,
        connect_args={"timeout": timeout, "async_creator_fn": _connect},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: ConnectionPoolEntry) -> None:  # the driver's own class
        connection.isolation_level = None  # transactions begin where `begin` below says so
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        # A click leaves Redis once SQL has committed it: the commit must be on disk by then.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA cache_size = -{cache}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(begin)

    return engine


async def _connect(*arguments: Any, **options: Any) -> driver.Connection:
    """Opens a connection; when that fails, its thread has ended before the error is raised.

    aiosqlite leaves the thread behind, which prints a traceback when the event loop ends first.
    """
    connection = driver.Connection(*arguments, **options)
    connection.thread.daemon = True
    try:
        await connection
    except BaseException:
        connection.thread.join()
        raise
    return connection


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raises the driver's operational errors as the domain's."""
    try:
        yield
    except PoolTimeoutError:
        raise DatabaseBusyError("every connection to the database is in use") from None
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if type(cause).__name__ not in {"OperationalError", "DatabaseError"}:
            raise
        message = str(cause)
        if "locked" in message or "busy" in message:
            raise DatabaseBusyError(message) from error
        raise DatabaseUnavailableError(message) from error


def _quoted(path: Path) -> str:
    """The path as part of an SQLite URI (https://www.sqlite.org/uri.html, section 3.1)."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
