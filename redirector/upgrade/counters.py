"""Counters that versions before journals left in Redis."""

import logging
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from redirector.counters.keys import parse, text
from redirector.embedded import data
from tracking import clicks
from tracking.database import Database
from tracking.settings import Settings
from tracking.writers import Writer

logger = logging.getLogger(__name__)

PENDING: Final = "{clicks}:pending"
APPLIED: Final = "{clicks}:applied"
SEALED: Final = "{clicks}:sealed"
_PREFIX: Final = "{clicks}:flushing:"
_SEAL: Final = Path(__file__).with_name("seal_old.lua").read_text()
# What a hash says of itself, beside its counters.
_OWN_FIELDS: Final = ("id", "run")
_WRITER: Final = "writer:"


class OldCounters:
    """Moves them into SQL; then the embedded Redis needs its log no more."""

    def __init__(self, redis: "Redis", database: Database, settings: Settings) -> None:
        self._redis = redis
        self._database = database
        self._embedded = settings.redis_dir if settings.redis_url is None else None
        self._seal = redis.register_script(_SEAL)
        # Batches that are not understood, which were said in the log.
        self._complaints: set[str] = set()

    async def move(self) -> int:
        """Moves what is there, as often as it comes back.

        Returns:
            How many batches SQL has since.

        Raises:
            RedisError, OSError: Redis is away; nothing is lost.
            DatabaseUnavailableError: SQL is; likewise.
        """
        moved = 0
        if await self._redis.exists(PENDING, SEALED):
            ids: list[bytes] = await self._seal(keys=[PENDING, APPLIED, SEALED], args=[_PREFIX])
            for id in map(bytes.decode, ids):
                moved += await self._move(id)
        if self._embedded is not None and data.has_log(self._embedded):
            await self._redis.config_set("appendonly", "no")
            data.remove_log(self._embedded)
            logger.info("the embedded Redis keeps no log any more: journals do")
        return moved

    async def _move(self, id: str) -> bool:
        content = await self._redis.hgetall(f"{_PREFIX}{id}")
        numbers: dict[Writer, int] = {}
        counters: dict[bytes | str, bytes | str] = {}
        for name, value in ((text(raw), value) for raw, value in content.items()):
            if name.startswith(_WRITER):
                numbers[name.removeprefix(_WRITER)] = int(value)
            elif name not in _OWN_FIELDS:
                counters[name] = value
        parsed = parse(counters)
        if parsed.strange:
            if id not in self._complaints:
                logger.error("old counters are not understood, and stay: %r", parsed.strange[:3])
                self._complaints.add(id)
            return False
        async with self._database.write() as connection:
            new = await clicks.apply_old(connection, id, parsed.counts, numbers)
        if new and parsed.clicks:
            logger.info("%d clicks that an earlier version left are counted", parsed.clicks)
        async with self._redis.pipeline() as pipeline:
            pipeline.lrem(SEALED, 0, id)
            pipeline.delete(f"{_PREFIX}{id}")
            await pipeline.execute()
        return True
