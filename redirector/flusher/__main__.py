"""`python -m redirector.flusher`: moves clicks from Redis into SQL, and tidies SQL."""

import asyncio
import logging
import time
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from redirector.counters.connection import connection_pool
from redirector.flusher.flush import Flusher
from redirector.upgrade.counters import OldCounters
from tracking import campaigns, clicks, heartbeat, idempotency, process
from tracking.background import cancel
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence
from tracking.settings import Settings

logger = logging.getLogger("redirector.flusher")

# After a flush that failed the next comes soon, however rare they are.
_RETRY_SECONDS = 1.0
# The last flush waits so long for Redis and SQL; who stops a process waits a little longer.
_LAST_FLUSH_SECONDS = 7.0
_PRUNE_SECONDS = 3600.0
# Redirectors that could not read the feed for an hour start afresh (redirector/links/cache.py).
_CHANGES_KEPT_SECONDS = 24 * 3600.0
# The last flush seals once more after each batch it moved; new clicks may come until others stop.
_LAST_FLUSHES = 10


class _Service:
    """The flusher as a process: flush, report, tidy, again and again."""

    def __init__(
        self, flusher: Flusher, old: OldCounters, database: Database, settings: Settings
    ) -> None:
        self.stopping = asyncio.Event()
        self._flusher = flusher
        self._old = old
        self._database = database
        self._interval = settings.flush_interval
        self._beat_interval = heartbeat.interval_of(settings.flush_interval)
        self._redis = Presence("Redis", "flushing goes on when it is back", logger, starts_too=True)
        self._sql = Presence("SQL", "clicks wait in Redis and in journals", logger)
        self._flush_at = self._beat_at = self._prune_at = float("-inf")
        self._beat_away: bool | None = None
        # Whether the last flush met an SQL that would not have it.
        self._stuck = False
        # Why the last flush failed; "" when it did not.
        self._failed_of = ""

    async def run(self) -> None:
        """Works until `stopping` is set, then flushes a last time."""
        while not self.stopping.is_set():
            await self._turn()
            pause = min(self._flush_at, self._beat_at) - time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0)):
                    await self.stopping.wait()
        try:
            async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                await self._flush_to_the_end()
        except TimeoutError:
            self._failed_of = f"it took longer than {_LAST_FLUSH_SECONDS:g} s"
        if self._failed_of:
            logger.error(
                "stopped; the last flush failed (%s): clicks wait in Redis and in journals",
                self._failed_of,
            )
        else:
            logger.info("stopped after a last flush")

    async def _flush_to_the_end(self) -> None:
        for _ in range(_LAST_FLUSHES):
            if not await self._flush():
                break

    async def _turn(self) -> None:
        if time.monotonic() >= self._flush_at:
            await self._flush()
            failed = self._stuck or self._redis.missing
            pause = min(self._interval, _RETRY_SECONDS) if failed else self._interval
            self._flush_at = time.monotonic() + pause
        try:
            await self._report()
            await self._prune()
        except DatabaseUnavailableError as error:
            self._sql.lost(error)
        except (RedisError, OSError) as error:
            self._redis.lost(error)

    async def _flush(self) -> int:
        try:
            moved = await self._old.move() + await self._flusher.flush()
        except (RedisError, OSError) as error:
            self._redis.lost(error)
            self._failed_of = f"Redis: {error}"
            return 0
        except DatabaseUnavailableError as error:
            self._failed_of = f"SQL: {error}"
            self._redis.found()
            self._sql.lost(error)
            self._stuck = True
            return 0
        self._redis.found()
        self._stuck = False
        self._failed_of = ""
        if moved:
            self._sql.found()
        return moved

    async def _report(self) -> None:
        """Says that clicks reach SQL. While they don't it says nothing, which tells everybody."""
        now = time.monotonic()
        if now < self._beat_at and self._beat_away == self._redis.away:
            return
        self._beat_at = now + _RETRY_SECONDS
        # At the start Redis may be waited for: nothing can be said of it yet.
        if not self._stuck and self._redis.known:
            away = self._redis.away
            async with self._database.write() as connection:
                await heartbeat.beat(
                    connection, redis_reachable=not away, interval=self._beat_interval
                )
            self._sql.found()
            self._beat_at, self._beat_away = now + self._beat_interval, away

    async def _prune(self) -> None:
        now = time.monotonic()
        if now >= self._prune_at and not self._stuck:
            async with self._database.write() as connection:
                await campaigns.forget_changes(connection, time.time() - _CHANGES_KEPT_SECONDS)
                await idempotency.forget(connection, time.time() - idempotency.KEPT_SECONDS)
                await clicks.forget(connection, time.time())
            self._prune_at = now + _PRUNE_SECONDS


async def _serve(settings: Settings) -> None:
    database = Database.of(settings)
    pool = connection_pool(settings, client_name="waymark-flusher")
    redis = Redis(connection_pool=pool)
    old = OldCounters(redis, database, settings)
    service = _Service(Flusher(redis, database), old, database, settings)
    loop = asyncio.get_running_loop()
    for number in process.stop_signals():
        loop.add_signal_handler(number, service.stopping.set)
    try:
        if await _migrated(database, service.stopping):
            logger.info("flushing every %g s", settings.flush_interval)
            await service.run()
    finally:
        await redis.aclose()
        await pool.disconnect()
        await database.close()


async def _migrated(database: Database, stopping: asyncio.Event) -> bool:
    """Waits until SQL can be used; whether it can, or the process was told to stop before."""
    migration = asyncio.create_task(database.migrate_when_possible())
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({migration, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if migration.done():
        migration.result()
        return True
    await cancel(migration)
    return False


def main(settings: Settings) -> None:
    """Flushes until SIGINT, SIGTERM or SIGHUP."""
    asyncio.run(_serve(settings))


if __name__ == "__main__":
    process.run("flusher", main)
