"""The `waymark` command, with what looks at clicks on their way."""

import asyncio
import logging
from collections.abc import Sequence

import typer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from redirector import backlog, backups, counters, starting
from redirector.backlog import Backlog
from redirector.spool_format import SpoolError
from redirector.survey import Survey, Waiting, survey
from tracking.audit import Audit, recount
from tracking.cli import NAME, app, on_database, table
from tracking.data_dir import keep_private
from tracking.database import Database
from tracking.process import EXIT_FAILURE, configure_logging, reported_errors
from tracking.settings import Settings

backups.add_to(app)
starting.add_to(app)


@app.command("spool")
def list_spools() -> None:
    """List the clicks that wait on disk for Redis."""
    with reported_errors(NAME):
        settings = Settings.load()
        if not settings.spool_dir.exists():
            # Made when it is needed first: where there is a database, no clicks wait.
            asyncio.run(_require_database(settings))
        found = survey(settings.spool_dir)
    if found.waiting:
        header = ("writer", "batches", "clicks", "torn bytes", "owner")
        for line in table([header, *map(_row, found.waiting)]):
            typer.echo(line)
    else:
        typer.echo("no clicks wait on disk")
    for line in _strange(found):
        typer.echo(line)


@app.command()
def audit() -> None:
    """Check that counts agree with what they count, and tell what is on its way."""

    async def work(database: Database) -> tuple[Audit, list[str]]:
        async with database.read(at_most=None) as connection:
            counted = await recount(connection)
        return counted, await _on_their_way(database)

    counted, waiting = on_database(work)
    for line in (*counted.lines, *waiting):
        typer.echo(line)
    if not counted.agrees:
        raise typer.Exit(EXIT_FAILURE)


def main() -> None:
    """What the `waymark` script calls."""
    keep_private()
    configure_logging(logging.WARNING)
    app(prog_name=NAME)


async def _require_database(settings: Settings) -> None:
    database = Database.of(settings)
    try:
        await database.require()
    finally:
        await database.close()


async def _on_their_way(database: Database) -> list[str]:
    """What is on its way, in words; of each place that can't be asked, that it can't be told."""
    settings = Settings.load()
    try:
        found = survey(settings.spool_dir)
    except SpoolError as error:
        in_redis = await _in_redis(settings, database, [])
        return [*in_redis[:1], f"what waits on disk can't be told: {error}"]
    return [*await _in_redis(settings, database, found.waiting), *_strange(found)]


async def _in_redis(settings: Settings, database: Database, spools: Sequence[Waiting]) -> list[str]:
    """What is on its way in Redis, and in these spools, of which Redis may have some already."""
    redis = Redis(connection_pool=counters.connection_pool(settings, client_name="waymark-audit"))
    try:
        return _lines(await backlog.measure(redis, database, spools))
    except (RedisError, OSError) as error:
        spooled = sum(spool.clicks for spool in spools)
        # One that loads its data is a connection error too, of a class of its own.
        away = type(error) is LostConnectionError and settings.redis_url is None
        why = "Redis does not run" if away else f"Redis does not answer ({error})"
        return [
            f"{why}: what waits there can't be told",
            f"{spooled} clicks wait on disk for Redis, which may have some of them already",
        ]
    finally:
        await redis.aclose()
        await redis.connection_pool.disconnect()


def _lines(waiting: Backlog) -> list[str]:
    lines = [
        f"{waiting.pending + waiting.sealed} clicks wait in Redis for the next flush",
        f"{waiting.spooled} clicks wait on disk for Redis",
    ]
    if waiting.moved:
        lines.append(f"{waiting.moved} clicks in Redis are in SQL already, and will be dropped")
    if waiting.recorded:
        lines.append(f"{waiting.recorded} clicks on disk are in Redis already, and will be dropped")
    return lines


def _strange(found: Survey) -> list[str]:
    return [f"{path} is left alone: {reason}" for path, reason in found.unreadable.items()]


def _row(waiting: Waiting) -> tuple[str, ...]:
    return (
        waiting.writer,
        str(len(waiting.batches)),
        str(waiting.clicks),
        str(waiting.torn),
        "a running process" if waiting.owned else "none: a redirector will take it over",
    )


if __name__ == "__main__":
    main()
