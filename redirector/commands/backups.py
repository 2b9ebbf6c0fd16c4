"""`waymark backup` and `waymark restore`."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from redirector.commands.backlog import in_journals
from redirector.counters.keys import campaigns_of
from redirector.embedded.data import LOCK
from redirector.journal.survey import Survey, survey
from tracking import backup, restore
from tracking.audit import Audit
from tracking.cli import NAME
from tracking.data_dir import make_directory
from tracking.database import Database
from tracking.database_lock import DatabaseLock
from tracking.errors import DatabaseInUseError
from tracking.process import EXIT_FAILURE, reported_errors
from tracking.settings import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def add_to(app: typer.Typer) -> None:
    """Adds the two commands."""
    app.command("backup")(make_backup)
    app.command("restore")(restore_backup)


def make_backup(
    file: File,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE where it exists.")
    ] = False,
) -> None:
    """Copy the database into a file, while everything runs."""
    with reported_errors(NAME):
        made, audit = asyncio.run(_back_up(Settings.load(), file, overwrite=overwrite))
    typer.echo(f"{file}: {made}")
    if audit is not None and not audit.agrees:
        _tell(audit)
        raise typer.Exit(EXIT_FAILURE)


def restore_backup(file: File) -> None:
    """Put a backup in the database's place. Nothing of Waymark's may run."""
    with reported_errors(NAME):
        settings = Settings.load()
        restore.check_is_there(file)  # before anything is made
        with _nobody_else(settings) as found:
            clicked = campaigns_of(
                name
                for waiting in found.waiting
                for record in waiting.records
                for name in record.counts
            )
            done = restore.restore(settings, file, clicked)
            waiting = asyncio.run(_waiting(settings, found))
    typer.echo(f"restored from {file}: {done.content}")
    if done.kept is not None:
        was = done.replaced or "what could not be read"
        typer.echo(f"replaced, and kept as {done.kept}: {was}")
    if done.revoked:
        typer.echo(f"{done.revoked} tokens that were revoked since stay revoked")
    if waiting:
        typer.echo(f"{waiting} clicks in journals are sent at the next start")
    if done.audit is not None and not done.audit.agrees:
        _tell(done.audit)


async def _back_up(
    settings: Settings, file: Path, *, overwrite: bool
) -> tuple[backup.Description, Audit | None]:
    database = Database.of(settings)
    try:
        await database.require()
        return await backup.make(settings, file, overwrite=overwrite)
    finally:
        await database.close()


async def _waiting(settings: Settings, found: Survey) -> int:
    """How many clicks in journals the restored database has not."""
    database = Database(settings.sql_url, settings.database_timeout)
    try:
        return sum(each.clicks for each in await in_journals(database, found.waiting))
    finally:
        await database.close()


@contextmanager
def _nobody_else(settings: Settings) -> Iterator[Survey]:
    """Nothing of Waymark's runs on these settings in the block.

    Yields:
        What is in the journals.

    Raises:
        DatabaseInUseError: something runs.
    """
    make_directory(settings.database_path.parent)
    lock = DatabaseLock(settings.database_path)
    lock.take_alone()
    try:
        with _no_server(settings):
            found = survey(settings.journal_dir)
            if any(waiting.owned for waiting in found.waiting):
                raise DatabaseInUseError(
                    f"a redirector runs on {settings.journal_dir}: stop it first"
                )
            yield found
    finally:
        lock.release()


@contextmanager
def _no_server(settings: Settings) -> Iterator[None]:
    try:
        file = os.open(settings.redis_dir / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise DatabaseInUseError(
            f"the embedded Redis runs in {settings.redis_dir}: stop Waymark first"
        ) from None
    try:
        yield
    finally:
        os.close(file)


def _tell(audit: Audit) -> None:
    typer.echo("its counts do not agree:")
    for line in audit.lines:
        typer.echo(line)
