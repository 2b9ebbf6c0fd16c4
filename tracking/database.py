"""The database and its transactions: the only place that knows which SQL database it is."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, Table, UpdateBase, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import changelog, schema
from tracking.data_dir import make_directory
from tracking.database_lock import DatabaseLock
from tracking.driver import Connection, Opener
from tracking.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    NoDatabaseError,
)
from tracking.pools import LONGEST_TRANSACTION, Pools, translated_errors, uri
from tracking.settings import Settings

logger = logging.getLogger(__name__)

# A query that waits for a lock gives up by itself, a moment before it is given up.
_PATIENCE_BEYOND_LOCKS = 0.5
# How long who opens connections anew, and who closes the last, waits for those in use.
_RENEWAL_SECONDS = 1.0
_CLOSE_SECONDS = 1.0

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
        self._path = Path(make_url(url).database or "")
        self._lock = DatabaseLock(self._path) if shared else None
        if self._lock is not None and self._path.exists():
            self._lock.share()
        self._timeout = timeout
        self._opener = Opener(self._path)
        self._pools = Pools(self._opener, self._path, timeout)
        self._renewal = asyncio.Lock()
        # For lookups: a connection of their own, opened when it is needed.
        self._lookup_turn = asyncio.Lock()
        self._lookup_connection: Connection | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database that the settings name."""
        return cls(settings.sql_url, settings.database_timeout, shared=True)

    @property
    def patience(self) -> float:
        """Seconds after which a query hangs: it would have given up waiting for a lock before."""
        return self._timeout + _PATIENCE_BEYOND_LOCKS

    @asynccontextmanager
    async def read(
        self, at_most: float | None = LONGEST_TRANSACTION, *, interrupt_after: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """A read transaction: what it sees does not change while it lasts.

        Args:
            at_most: seconds that it may take.
            interrupt_after: seconds after which its queries are interrupted.

        Raises:
            QueryTimeoutError: a query was interrupted.
            DatabaseUnavailableError: SQL can't be used now.
        """
        pools = await self._usable_pools()
        async with pools.transaction(pools.readers, at_most, interrupt_after) as connection:
            yield connection

    async def look_up(self, lookup: Lookup, values: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """The rows that a lookup finds for these values, as the driver has them.

        It is one trip to a connection that is kept, where a read transaction takes SQLAlchemy three
        and more time than the query. Lookups take turns.

        Args:
            values: one at least.

        Raises:
            DatabaseUnavailableError: SQL can't be used now, or does not answer in time.
        """
        sql, parameters = lookup.statement(values)
        await self._usable_pools()
        try:
            async with asyncio.timeout(self.patience), self._lookup_turn:
                with translated_errors():
                    return await self._fetch(sql, parameters)
        except TimeoutError:
            raise DatabaseUnavailableError(f"no answer came in {self.patience:g} s") from None
        except DatabaseBusyError:
            raise
        except DatabaseUnavailableError:
            self._pools.failed = True
            raise

    async def _fetch(self, sql: str, parameters: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        if self._lookup_connection is None:
            self._lookup_connection = await self._opener.open(
                uri(self._path, "ro"), uri=True, timeout=self._timeout, isolation_level=None
            )
        try:
            return await self._lookup_connection.fetch(sql, parameters)
        except sqlite3.Error:
            await self._close_lookup_connection()
            raise
        except asyncio.CancelledError:
            # It may hang: the next lookup gets another.
            self._lookup_connection.abandon()
            self._lookup_connection = None
            raise

    @asynccontextmanager
    async def write(
        self, by: str = changelog.SOMEBODY, *, at_most: float | None = LONGEST_TRANSACTION
    ) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed at the end, rolled back when an exception leaves it.

        Args:
            by: who writes, in words, for the log of changes.
            at_most: seconds that it may take. When it took longer it may be in SQL or not.

        Raises:
            DatabaseBusyError: it stayed locked for the whole time-out.
            DatabaseUnavailableError: SQL can't be used now.
        """
        pools = await self._usable_pools()
        async with pools.transaction(pools.writer, at_most) as connection:
            with changelog.collected(connection) as notes:
                yield connection
        changelog.write(by, notes)

    @asynccontextmanager
    async def write_if_idle(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction that waits for no other: for what can be left out.

        Raises:
            DatabaseBusyError: somebody else is writing.
            DatabaseUnavailableError: SQL can't be used now.
        """
        pools = await self._usable_pools()
        async with pools.transaction(pools.impatient_writer, LONGEST_TRANSACTION) as connection:
            yield connection

    async def check_writing(self) -> None:
        """Writes what changes nothing, all the way to the disk.

        That a transaction begins, and that it can be rolled back, tells nothing of a full disk.

        Raises:
            DatabaseBusyError: somebody else is writing.
            DatabaseUnavailableError: nothing can be written now.
        """
        async with self.write_if_idle() as connection:
            version = await connection.exec_driver_sql("PRAGMA user_version")
            await connection.exec_driver_sql(f"PRAGMA user_version = {version.scalar_one()}")

    async def _usable_pools(self) -> Pools:
        """The pools; when a connection failed, new ones, once all that was open is closed.

        A connection that SQLite opened read-only for want of permission stays read-only. And while
        any connection of the process to the file is open, later ones share its index of the WAL
        (`-shm`), which is then read-only too (`unixShmNode.isReadonly` in SQLite's os_unix.c).
        """
        if not self._pools.stale:
            return self._pools
        async with self._renewal:
            if self._pools.stale:
                await self._close_connections(_RENEWAL_SECONDS)
                self._pools = Pools(self._opener, self._path, self._timeout)
        return self._pools

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
        else:
            self._make_file()
        await self._use_wal()
        async with self.write(at_most=None) as connection:
            if not await connection.run_sync(schema.is_current):
                await connection.run_sync(schema.upgrade)
                logger.info("the database's schema is up to date")

    def _make_file(self) -> None:
        """Makes an empty database. No connection does: it might be one in a lost one's place."""
        try:
            self._path.touch(0o600)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DatabaseUnavailableError(f"{self._path}: {reason}") from error

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
        """Closes all connections; waits for none that hangs."""
        await self._close_connections(_CLOSE_SECONDS)
        if self._lock is not None:
            self._lock.release()

    async def _close_connections(self, at_most: float) -> None:
        await self._pools.close(at_most)
        # A lookup that hangs must not hold up who wants to stop.
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most), self._lookup_turn:
                await self._close_lookup_connection()

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
                with translated_errors():
                    async with self._pools.writer.connect() as connection:
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
    """Inserts rows, each with a value for every column in the table's order."""
    await execute_many(connection, insert(table), rows)


async def execute_many(
    connection: AsyncConnection, statement: UpdateBase, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Executes a statement for each row of its parameters, in their order, as the driver takes
    them: for many rows that is twice as fast as with a dictionary for each."""
    if rows:
        compiled = statement.compile(dialect=connection.dialect)
        await connection.exec_driver_sql(str(compiled), list(rows))
