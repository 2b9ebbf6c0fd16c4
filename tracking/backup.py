"""Backups: a copy of the database of one moment, made while everything runs."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from tracking import schema
from tracking.audit import Audit, recount
from tracking.data_dir import side_files
from tracking.database import Database
from tracking.errors import BackupError, SchemaError
from tracking.settings import Settings, sqlite_url
from tracking.timestamps import format_timestamp

# A backup says of itself when it was made, in a table that no other database has.
_MADE = "backup"


@dataclass(frozen=True, slots=True)
class Description:
    """What a database holds.

    Attributes:
        made_at: seconds since the epoch, of a backup; None of a database, or a plain copy of one.
        clicks: of all audiences.
    """

    schema: str
    campaigns: int
    clicks: int
    made_at: float | None = None

    def __str__(self) -> str:
        made = "" if self.made_at is None else f"made {format_timestamp(self.made_at)}, "
        return f"{made}schema {self.schema}, {self.campaigns} campaigns, {self.clicks} clicks"


async def make(
    settings: Settings, target: Path, *, overwrite: bool
) -> tuple[Description, Audit | None]:
    """Copies the database into a file, which is there as a whole, and checked, or not at all.

    The database is not migrated: its backup is wanted before that.

    Returns:
        What is in it, and whether its counts agree; None where its schema is another than this
        version's.

    Raises:
        BackupError: the file is there already, can't be written, or would hold a broken database.
    """
    _check_target(settings, target, overwrite=overwrite)
    try:
        with _new_file_beside(target) as new:
            copy(settings.database_path, new, live=True)
            with closing(sqlite3.connect(new, isolation_level=None)) as connection:
                connection.execute(f"CREATE TABLE {_MADE} (made_at REAL NOT NULL)")
                statement = f"INSERT INTO {_MADE} VALUES (?)"  # noqa: S608 - our own table's name
                connection.execute(statement, [time.time()])
                check(connection)
                made = describe(connection)
            audit = await recounted(new)
            sync(new)
            # It may have come while this one was made.
            _check_target(settings, target, overwrite=overwrite)
            new.replace(target)
            sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        # An OSError's text names the temporary file.
        reason = error.strerror if isinstance(error, OSError) else error
        raise BackupError(f"can't make {target}: {reason}") from None
    return made, audit


def copy(source: Path, target: Path, *, live: bool) -> None:
    """Copies a database of one moment, its write-ahead log included, into one file.

    Args:
        live: whether others may use it meanwhile.

    Raises:
        sqlite3.Error: it can't be read, or the copy not be written.
    """
    uri = f"{source.absolute().as_uri()}?mode=ro"
    if not live and not source.with_name(f"{source.name}-wal").exists():
        # Then nothing is made beside it, and it may lie where nothing can be.
        uri += "&immutable=1"
    with (
        closing(sqlite3.connect(uri, uri=True)) as opened,
        closing(sqlite3.connect(target, isolation_level=None)) as copied,
    ):
        opened.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")


def check(connection: sqlite3.Connection) -> None:
    """Makes sure that a database is whole.

    Raises:
        BackupError: it is not.
    """
    for question in ("PRAGMA integrity_check", "PRAGMA foreign_key_check"):
        wrong = [row for row in connection.execute(question) if row != ("ok",)]
        if wrong:
            raise BackupError(f"the database is broken: {question} says {wrong[0]}")


def describe(connection: sqlite3.Connection) -> Description:
    """What is in a database of Waymark's.

    Raises:
        sqlite3.Error: it is none.
    """
    (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    (campaigns,) = connection.execute("SELECT count(*) FROM campaigns").fetchone()
    (clicks,) = connection.execute("SELECT coalesce(sum(clicks), 0) FROM click_hours").fetchone()
    made_at = None
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [_MADE]).fetchone():
        query = f"SELECT made_at FROM {_MADE}"  # noqa: S608 - our own table's name
        (made_at,) = connection.execute(query).fetchone()
    return Description(schema, campaigns, clicks, made_at)


def forget_making(connection: sqlite3.Connection) -> None:
    """Makes a database of a backup again."""
    connection.execute(f"DROP TABLE IF EXISTS {_MADE}")


async def recounted(path: Path) -> Audit | None:
    """The audit of a database's counts; None where its schema is not this version's."""
    database = Database(sqlite_url(path), timeout=0)
    try:
        async with database.read(at_most=None) as connection:
            if not await connection.run_sync(_is_current):
                return None
            return await recount(connection)
    finally:
        await database.close()


def sync(path: Path) -> None:
    """Returns when a file, or what a directory lists, is on disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove(path: Path) -> None:
    """Removes a database with all that SQLite may have made beside it."""
    for file in (path, *side_files(path)):
        file.unlink(missing_ok=True)


def _is_current(connection: Connection) -> bool:
    try:
        return schema.is_current(connection)
    except SchemaError:
        return False


def _check_target(settings: Settings, target: Path, *, overwrite: bool) -> None:
    database = settings.database_path
    names = (database, *side_files(database))
    if _resolved(target) in map(_resolved, names):
        raise BackupError(f"{target} is the database itself")
    if not target.is_symlink() and not target.exists():
        return
    if not overwrite:
        raise BackupError(f"{target} exists: choose another name, or --overwrite it")
    if target.is_symlink() or not target.is_file():
        raise BackupError(f"{target} is no file that could be overwritten")
    if database.exists() and target.samefile(database):
        raise BackupError(f"{target} is the database itself")


@contextmanager
def _new_file_beside(target: Path) -> Iterator[Path]:
    new = target.with_name(f".{target.name}.{os.getpid()}")
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield new
    finally:
        remove(new)


def _resolved(path: Path) -> Path:
    """Where a name lies, whether or not it is a link itself."""
    return path.parent.resolve() / path.name
