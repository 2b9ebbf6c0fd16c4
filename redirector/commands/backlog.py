"""What is counted and not in SQL yet: in journals, and in Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from redirector.counters.keys import BatchName, keys_of, parse, text
from redirector.journal.survey import Waiting
from tracking import writers
from tracking.database import Database
from tracking.writers import Writer


@dataclass(frozen=True, slots=True)
class Waits:
    """A journal's clicks that are not in SQL.

    Attributes:
        records: how many records they are in.
    """

    writer: Writer
    records: int
    clicks: int
    owned: bool


async def in_journals(database: Database, journals: Sequence[Waiting]) -> list[Waits]:
    """What waits in each journal.

    Raises:
        DatabaseUnavailableError: SQL is away.
    """
    async with database.read() as connection:
        numbers = await writers.numbers_of(connection, [each.writer for each in journals])
    found = []
    for each in journals:
        left = each.beyond(numbers.get(each.writer, 0))
        clicks = sum(record.clicks for record in left)
        found.append(Waits(each.writer, len(left), clicks, each.owned))
    return found


async def in_redis(redis: Redis, database: Database) -> int:
    """How many clicks Redis holds that are not in SQL. While they come and go it is a moment old.

    Raises:
        RedisError, OSError: Redis is away.
        DatabaseUnavailableError: SQL is.
    """
    await redis.ping()
    async with database.read() as connection:
        numbers = await writers.numbers_of(connection, await writers.active(connection))
    return sum([await _of_writer(redis, writer, numbers) for writer in numbers])


async def _of_writer(redis: Redis, writer: Writer, numbers: Mapping[Writer, int]) -> int:
    _, opened, sealed = keys_of(writer)
    clicks = parse(await redis.hgetall(opened)).clicks
    for name in map(text, await redis.lrange(sealed, 0, -1)):
        if BatchName.parse(name).last > numbers[writer]:
            clicks += parse(await redis.hgetall(f"{sealed}:{name}")).clicks
    return clicks
