"""The `waymark` command, with what looks at clicks on their way."""

from dataclasses import dataclass

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from redirector import backlog, counters, spool
from redirector.backlog import Backlog
from redirector.spool import Waiting
from tracking import campaigns, clicks, orders
from tracking.cli import NAME, app, on_database, table
from tracking.clicks import Ledger
from tracking.database import Database
from tracking.process import EXIT_FAILURE, reported_errors
from tracking.settings import Settings


@dataclass(frozen=True, slots=True)
class _Counted:
    """What SQL holds.

    Attributes:
        differences: a line for each campaign whose counts are wrong.
    """

    campaigns: int
    ledger: Ledger
    differences: list[str]


@app.command("spool")
def list_spools() -> None:
    """List the clicks that wait on disk for Redis."""
    with reported_errors(NAME):
        waiting = spool.survey(Settings.load().spool_dir)
    if not waiting:
        typer.echo("no clicks wait on disk")
        return
    header = ("writer", "batches", "clicks", "torn bytes", "owner")
    for line in table([header, *map(_row, waiting)]):
        typer.echo(line)


@app.command()
def audit() -> None:
    """Check that counts agree with what they count, and tell what is on its way."""

    async def work(database: Database) -> tuple[_Counted, Backlog | str]:
        return await _count(database), await _measure(database)

    counted, waiting = on_database(work)
    for line in counted.differences:
        typer.echo(line)
    ledger = counted.ledger
    agree = ledger.clicks == ledger.hourly_sum
    typer.echo(
        f"{ledger.clicks} clicks were moved into SQL by {ledger.batches} entries of the ledger; "
        + ("the hourly rows hold as many" if agree else f"the hourly rows hold {ledger.hourly_sum}")
    )
    if not counted.differences:
        typer.echo(f"the counts of all {counted.campaigns} campaigns agree")
    for line in _lines(waiting):
        typer.echo(line)
    if counted.differences or not agree:
        raise typer.Exit(EXIT_FAILURE)


def main() -> None:
    """What the `waymark` script calls."""
    app(prog_name=NAME)


async def _count(database: Database) -> _Counted:
    async with database.read() as connection:
        clicked = [
            f"{found.code}: click_count is {found.click_count}, "
            f"its hourly rows add up to {found.hourly_sum}"
            for found in await clicks.audit(connection)
        ]
        ordered = [
            f"{found.code}: order_count is {found.order_count}, it has {found.orders} orders"
            for found in await orders.audit(connection)
        ]
        total = await campaigns.count_all(connection)
        return _Counted(total, await clicks.ledger(connection), clicked + ordered)


async def _measure(database: Database) -> Backlog | str:
    """What is on its way, or why that can't be told."""
    settings = Settings.load()
    redis = Redis(connection_pool=counters.connection_pool(settings, client_name="waymark-audit"))
    try:
        return await backlog.measure(redis, database, spool.survey(settings.spool_dir))
    except (RedisError, OSError) as error:
        return str(error)
    finally:
        await redis.aclose()
        await redis.connection_pool.disconnect()


def _lines(waiting: Backlog | str) -> list[str]:
    if isinstance(waiting, str):
        return [f"what waits in Redis and on disk can't be told: {waiting}"]
    lines = [
        f"{waiting.pending + waiting.sealed} clicks wait in Redis for the next flush",
        f"{waiting.spooled} clicks wait on disk for Redis",
    ]
    if waiting.moved:
        lines.append(f"{waiting.moved} clicks in Redis are in SQL already, and will be dropped")
    if waiting.recorded:
        lines.append(f"{waiting.recorded} clicks on disk are in Redis already, and will be dropped")
    return lines


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
