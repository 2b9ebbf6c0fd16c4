"""What is counted and not in SQL yet: in Redis, and in spools."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from redirector import counters
from redirector.counters import APPLIED, PENDING, SEALED, flushing
from redirector.survey import Waiting
from tracking import clicks
from tracking.database import Database


@dataclass(frozen=True, slots=True)
class Backlog:
    """Clicks on their way, of all audiences.

    Attributes:
        pending: in Redis, for the next flush.
        sealed: in Redis, in a flush under way, or one that was cut short.
        moved: in Redis, in SQL already, about to be dropped from Redis.
        spooled: on disk, to be sent to Redis.
        recorded: on disk, in Redis already, about to be dropped from disk.
    """

    pending: int
    sealed: int
    moved: int
    spooled: int
    recorded: int


async def measure(redis: Redis, database: Database, spools: Sequence[Waiting]) -> Backlog:
    """Looks, and moves nothing. While clicks come and go, what it sees is a moment old.

    Raises:
        RedisError, OSError: Redis is away.
        DatabaseUnavailableError: SQL is.
    """
    spooled = recorded = 0
    for spool in spools:
        number = int(await redis.hget(APPLIED, spool.writer) or 0)
        sent = sum(batch.clicks for batch in spool.batches if batch.number <= number)
        recorded += sent
        spooled += spool.clicks - sent
    pending = await _clicks(redis, PENDING)
    sealed = moved = 0
    ids: list[bytes] = await redis.lrange(SEALED, 0, -1)  # type: ignore[assignment] # never decoded
    for id in map(bytes.decode, ids):
        number = await _clicks(redis, flushing(id))
        async with database.read() as connection:
            if await clicks.is_applied(connection, id):
                moved += number
            else:
                sealed += number
    return Backlog(pending, sealed, moved, spooled, recorded)


async def _clicks(redis: Redis, key: str) -> int:
    return counters.parse(await redis.hgetall(key)).clicks
