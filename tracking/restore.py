"""Restores: a backup takes the place of the database, and no click is counted twice.

What was flushed after the backup is gone with the database that is replaced, which is kept beside.
What still waits, in journals, is counted once, when all runs again: the backup's ledger knows the
records that are in its counts, and no others. But what waits is named by the ids of
campaigns, also of such as were made after the backup: those ids are never given again.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from tracking import backup, marks, schema
from tracking.access import carrying_over
from tracking.access.carrying_over import Access
from tracking.audit import Audit
from tracking.backup import Description
from tracking.data_dir import refuse_links, side_files
from tracking.database import Database
from tracking.errors import BackupError, DatabaseInUseError, WaymarkError
from tracking.settings import Settings, sqlite_url
from tracking.tables import events

_NEW = ".restoring"
_LOG = ".log"
# So many ids are left out where the replaced database can't tell which it has given.
_LEAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        replaced: what was in the database before; None where there was none, or a broken one.
        kept: where that is now; None where there was none.
        revoked: how many tokens stay revoked that the backup knew as valid.
        audit: of the restored counts.
    """

    content: Description
    replaced: Description | None
    kept: Path | None
    revoked: int
    audit: Audit | None


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What a restore must know of the database that it replaces.

    Attributes:
        given: the highest id that was given, by table.
        revoked: digests of tokens, and since when they are revoked.
        access: what it allows to users and shared addresses; None = it can't tell.
    """

    content: Description | None = None
    given: dict[str, int] = field(default_factory=dict)
    revoked: list[tuple[float, str]] = field(default_factory=list)
    access: Access | None = None


def check_is_there(file: Path) -> None:
    """Makes sure that there is a file.

    Raises:
        BackupError: there is none.
    """
    if not file.is_file():
        raise BackupError(f"there is no file {file}")


def restore(settings: Settings, file: Path, clicked: Iterable[int]) -> Restored:
    """Puts a backup in the database's place. Nobody else may use the database meanwhile.

    Args:
        clicked: ids of campaigns whose clicks are known to wait.

    Raises:
        BackupError: the file is no backup, or broken.
        SchemaError: it is newer than this program.
        DatabaseInUseError: somebody has the database open.
        WaymarkError: the directory can't be written.
    """
    refuse_links(settings)
    database = settings.database_path
    check_is_there(file)
    if database.exists() and file.samefile(database):
        raise BackupError(f"{file} is the database itself")
    new = database.with_name(database.name + _NEW)
    backup.remove(new)
    try:
        content = _unpack(file, new)
        log = _save_log(database)
        replaced = _checkpoint(database) if database.exists() else _Replaced()
        asyncio.run(_bring_up_to_date(new, patience=settings.database_timeout))
        revoked = _carry_over(new, replaced, clicked)
        audit = asyncio.run(backup.recounted(new))
        backup.sync(new)
        kept = _put_aside(database) if database.exists() else None
        if kept is not None and replaced.content is None and log is not None:
            log.replace(kept.with_name(f"{kept.name}-wal"))
        new.replace(database)
        backup.sync(database.parent)
    except OSError as error:
        raise WaymarkError(f"can't write to {database.parent}: {error.strerror}") from None
    finally:
        backup.remove(new)
        backup.remove(database.with_name(database.name + _LOG))
    return Restored(content, replaced.content, kept, revoked, audit)


def _unpack(file: Path, new: Path) -> Description:
    """Copies a backup to where it can be worked on, and checks it."""
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        backup.copy(file, new, live=False)
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            backup.check(connection)
            content = backup.describe(connection)
            backup.forget_making(connection)
    except (sqlite3.Error, TypeError) as error:  # an empty alembic_version has no row to unpack
        raise BackupError(f"{file} is no backup of Waymark's: {error}") from None
    schema.check(content.schema)
    return content


def _save_log(database: Path) -> Path | None:
    """Copies the write-ahead log: SQLite removes that of a database that it finds broken."""
    log = database.with_name(f"{database.name}-wal")
    if not log.exists():
        return None
    return Path(shutil.copyfile(log, database.with_name(database.name + _LOG)))


def _checkpoint(database: Path) -> _Replaced:
    """Moves the write-ahead log into the database, which nobody has open; what it knows.

    Raises:
        DatabaseInUseError: somebody has it open.
    """
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            # In this mode SQLite locks the file itself, against every open connection.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            given = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
            revoked = connection.execute(
                "SELECT revoked_at, digest FROM tokens WHERE revoked_at IS NOT NULL"
            ).fetchall()
            access = carrying_over.read(connection)
            return _Replaced(backup.describe(connection), given, revoked, access)
    except (sqlite3.Error, TypeError) as error:
        if "locked" in str(error):
            raise DatabaseInUseError(f"another program has {database} open") from None
        return _Replaced()  # broken, or never Waymark's: it is kept all the same


async def _bring_up_to_date(path: Path, *, patience: float) -> None:
    database = Database(sqlite_url(path), patience)
    try:
        await database.migrate()
        async with database.write() as connection:
            # What clients have seen of the replaced database is not what they would see now.
            for event_id in (await connection.execute(select(events.c.id))).scalars():
                await marks.note_write(connection, event_id)
    finally:
        await database.close()


def _carry_over(path: Path, replaced: _Replaced, clicked: Iterable[int]) -> int:
    """Takes over what must not be forgotten; how many tokens stay revoked."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        own = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
        given = {
            table: max(own.get(table, 0), replaced.given.get(table, 0))
            for table in {*own, *replaced.given, "campaigns"}
        }
        # Ids only grow: a database that has given fewer is no later one of the same.
        unknown = replaced.content is None
        if unknown or replaced.given.get("campaigns", 0) < own.get("campaigns", 0):
            given["campaigns"] += _LEAP
        given["campaigns"] = max(given["campaigns"], *clicked, 0)
        connection.executemany("DELETE FROM sqlite_sequence WHERE name = ?", [(t,) for t in given])
        connection.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", given.items())
        revoked = connection.executemany(
            "UPDATE tokens SET revoked_at = ? WHERE digest = ? AND revoked_at IS NULL",
            replaced.revoked,
        ).rowcount
        carrying_over.apply(connection, replaced.access)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(revoked, 0)


def _put_aside(database: Path) -> Path:
    """Keeps the database under another name, and takes its log away from under its own.

    The database is there at every moment: a start between two steps would make an empty one.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = database.with_name(f"{database.name}.replaced-{stamp}")
    number = 1
    while kept.exists():
        number += 1
        kept = database.with_name(f"{database.name}.replaced-{stamp}-{number}")
    os.link(database, kept)
    kept.chmod(0o600)
    for file in side_files(database):
        file.unlink(missing_ok=True)
    backup.sync(database.parent)
    return kept
