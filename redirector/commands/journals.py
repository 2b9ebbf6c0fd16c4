"""`waymark journal`: what waits in journals, and sending it by hand."""

import asyncio
import time
from typing import Annotated

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from redirector.commands.backlog import in_journals
from redirector.counters.client import CounterClient
from redirector.counters.connection import connection_pool
from redirector.flusher.flush import Flusher
from redirector.journal.survey import Survey, survey
from redirector.recording.recovery import Recovery
from tracking.cli import NAME, on_database, table
from tracking.database import Database
from tracking.errors import WaymarkError
from tracking.process import EXIT_FAILURE, reported_errors
from tracking.settings import Settings

_PAUSE = 0.1

commands = typer.Typer(invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(commands, name="journal")


@commands.callback()
def list_journals(context: typer.Context) -> None:
    """List the clicks that wait on disk for SQL; `send` sends those of ended processes."""
    if context.invoked_subcommand is not None:
        return
    with reported_errors(NAME):
        found = survey(Settings.load().journal_dir)

    async def work(database: Database) -> list[tuple[str, ...]]:
        return [
            (
                each.writer,
                str(each.records),
                str(each.clicks),
                "a running process" if each.owned else "none: a redirector will take it over",
            )
            for each in await in_journals(database, found.waiting)
            if each.clicks or each.owned
        ]

    rows = on_database(work)
    if rows:
        for line in table([("writer", "records", "clicks", "owner"), *rows]):
            typer.echo(line)
    else:
        typer.echo("no clicks wait on disk")
    for line in strange(found):
        typer.echo(line)


@commands.command()
def send(
    seconds: Annotated[float, typer.Option(help="How long to wait for Redis and SQL.")] = 30.0,
) -> None:
    """Send the clicks of ended processes to SQL, where no redirector runs that would."""
    with reported_errors(NAME):
        settings = Settings.load()

    async def work(database: Database) -> tuple[int, int]:
        return await _send(settings, database, seconds)

    sent, left = on_database(work)
    typer.echo(f"{sent} clicks of ended processes are in SQL now")
    if left:
        typer.echo(f"{left} wait still")
        raise typer.Exit(EXIT_FAILURE)


def strange(found: Survey) -> list[str]:
    """What can't be read, a line each."""
    return [f"{path} is left alone: {reason}" for path, reason in found.unreadable.items()]


async def _send(settings: Settings, database: Database, seconds: float) -> tuple[int, int]:
    """How many clicks were sent, and how many wait still.

    Raises:
        WaymarkError: Redis is away.
    """
    before = await _waiting(settings, database)
    recovery = Recovery(CounterClient.of(settings), database, settings.journal_dir)
    pool = connection_pool(settings, client_name="waymark-journal")
    redis = Redis(connection_pool=pool)
    flusher = Flusher(redis, database)
    deadline = time.monotonic() + seconds
    left = before
    try:
        while left and time.monotonic() < deadline:
            await recovery.recover()
            await flusher.flush()
            await recovery.recover()
            left = await _waiting(settings, database)
            await asyncio.sleep(_PAUSE)
    except (RedisError, OSError) as error:
        raise WaymarkError(f"Redis does not answer ({error}): nothing was lost") from None
    finally:
        await recovery.close()
        await redis.aclose()
        await pool.disconnect()
    return before - left, left


async def _waiting(settings: Settings, database: Database) -> int:
    found = survey(settings.journal_dir).waiting
    # Those that this process took over are among those that have an owner, but SQL tells.
    return sum(each.clicks for each in await in_journals(database, found))
