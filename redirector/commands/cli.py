"""The `waymark` command, with what looks at clicks on their way."""

import logging

import typer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from redirector.commands import backlog, backups, journals, starting
from redirector.counters.connection import connection_pool
from redirector.journal.errors import JournalError
from redirector.journal.survey import survey
from tracking import user_commands
from tracking.audit import Audit, recount
from tracking.cli import NAME, app, on_database
from tracking.data_dir import keep_private
from tracking.database import Database
from tracking.process import EXIT_FAILURE, configure_logging
from tracking.settings import Settings

user_commands.add_to(app)
backups.add_to(app)
journals.add_to(app)
starting.add_to(app)


@app.command()
def audit() -> None:
    """Check that counts agree with what they count, and tell what is on its way."""

    async def work(database: Database) -> tuple[Audit, list[str]]:
        async with database.read(at_most=None) as connection:
            counted = await recount(connection)
        settings = Settings.load()
        on_disk = await _in_journals(settings, database)
        return counted, [*on_disk, await _in_redis(settings, database)]

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


async def _in_journals(settings: Settings, database: Database) -> list[str]:
    """What waits on disk, in words."""
    try:
        found = survey(settings.journal_dir)
    except JournalError as error:
        return [f"what waits on disk can't be told: {error}"]
    clicks = sum(each.clicks for each in await backlog.in_journals(database, found.waiting))
    return [f"{clicks} clicks in journals are not in SQL yet", *journals.strange(found)]


async def _in_redis(settings: Settings, database: Database) -> str:
    """What waits in Redis, in words."""
    redis = Redis(connection_pool=connection_pool(settings, client_name="waymark-audit"))
    try:
        clicks = await backlog.in_redis(redis, database)
    except (RedisError, OSError) as error:
        # One that loads its data is a connection error too, of a class of its own.
        away = type(error) is LostConnectionError and settings.redis_url is None
        why = "Redis does not run" if away else f"Redis does not answer ({error})"
        return f"{why}: what waits there can't be told"
    else:
        return f"{clicks} clicks in Redis are not in SQL yet"
    finally:
        await redis.aclose()
        await redis.connection_pool.disconnect()


if __name__ == "__main__":
    main()
