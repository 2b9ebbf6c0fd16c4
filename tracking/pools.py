"""The pooled connections of a process: a few that read, one that writes, one that waits for nobody.

SQLite in WAL mode: readers are opened read-only and never block; there is one writing connection a
process, and each write is one `BEGIN IMMEDIATE` transaction, so that it waits for the lock at its
start and never fails in the middle.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from tracking.driver import Connection as DriverConnection
from tracking.driver import Opener
from tracking.errors import DatabaseBusyError, DatabaseUnavailableError, QueryTimeoutError

READERS = 4
# KiB of pages that a connection keeps at most: SQLite's default; and what the rows of a flush need
# that lie all over a large table. With less it writes pages early, and reads them again.
_CACHE = 2_000
_FLUSH_CACHE = 32_000
# A transaction that takes longer hangs: a flush of 100,000 counters takes a second.
LONGEST_TRANSACTION = 60.0
# Connections that failed are not opened anew more often than this, in seconds.
_YOUNG_SECONDS = 0.5


class Pools:
    """Connections that were opened since the last time one failed.

    Args:
        opener: of all connections.
        file: the database.
        timeout: seconds to wait for a lock, or for a connection.

    Attributes:
        failed: whether one of them failed, so that none of them is trusted: it may have been opened
            read-only, or before the file was replaced.
    """

    def __init__(self, opener: Opener, file: Path, timeout: float) -> None:
        self.failed = False
        self._closed = False
        self._made_at = time.monotonic()
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self.readers = _engine(opener, file, "ro", timeout, pool_size=READERS, begin="BEGIN")
        self.writer = _engine(opener, file, "rw", timeout, begin=_WRITE, cache=_FLUSH_CACHE)
        self.impatient_writer = _engine(opener, file, "rw", 0, begin=_WRITE)

    @property
    def stale(self) -> bool:
        """Whether others should be made before anything else is done."""
        return self.failed and time.monotonic() - self._made_at > _YOUNG_SECONDS

    @asynccontextmanager
    async def transaction(
        self, engine: AsyncEngine, at_most: float | None, interrupt_after: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction on a connection of this engine: committed at the end, or rolled back.

        Args:
            at_most: seconds; None = as long as it takes. Longer than that means that it hangs.
            interrupt_after: seconds after which a query is interrupted that does not hang.

        Raises:
            DatabaseBusyError: it stayed locked for the whole time-out.
            QueryTimeoutError: a query was interrupted.
            DatabaseUnavailableError: SQL can't be used now.
        """
        self._users += 1
        self._unused.clear()
        try:
            with translated_errors():
                async with _deadline(at_most), engine.connect() as connection:
                    # A read ends with a rollback: that is one trip to its thread less.
                    begun = nullcontext() if engine is self.readers else connection.begin()
                    try:
                        async with begun, _interruption(connection, interrupt_after):
                            yield connection
                    finally:
                        if self._closed:  # nobody else would close it
                            await connection.invalidate()
        except (DatabaseBusyError, QueryTimeoutError):
            raise
        except DatabaseUnavailableError:
            self.failed = True
            raise
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def close(self, at_most: float) -> None:
        """Closes all connections, those in use when they are given back, but waits only so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._unused.wait()
        self._closed = True
        for engine in (self.readers, self.writer, self.impatient_writer):
            await engine.dispose()


_WRITE = "BEGIN IMMEDIATE"


def _engine(
    opener: Opener,
    file: Path,
    mode: str,
    timeout: float,
    *,
    begin: str,
    pool_size: int = 1,
    cache: int = _CACHE,
) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=uri(file, mode), query={"uri": "true"}),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout,
        connect_args={"timeout": timeout, "async_creator_fn": opener.open},
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


def uri(file: Path, mode: str) -> str:
    """The file as an SQLite URI (https://www.sqlite.org/uri.html, section 3.1).

    Args:
        mode: `ro`, `rw`; neither makes a file that is missing.
    """
    path = str(file.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{path}?mode={mode}"


@asynccontextmanager
async def _deadline(at_most: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(at_most) as deadline:
            yield
    except TimeoutError:
        if deadline.expired():
            raise DatabaseUnavailableError(f"it took longer than {at_most:g} s") from None
        raise


@asynccontextmanager
async def _interruption(connection: AsyncConnection, after: float | None) -> AsyncIterator[None]:
    if after is None:
        yield
        return
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, DriverConnection)
    with driver.interrupted_after(after):
        yield


@contextmanager
def translated_errors() -> Iterator[None]:
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
        if message == "interrupted":
            raise QueryTimeoutError("a query took too long") from error
        if "locked" in message or "busy" in message:
            raise DatabaseBusyError(message) from error
        raise DatabaseUnavailableError(message) from error
