"""Adoption: the spools of processes that ended are sent by one that lives."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from redirector.channel import Channel
from redirector.spool import Spool
from tracking import clicks
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError

logger = logging.getLogger(__name__)

# A process that ends while Redis is away is followed by another within seconds.
_INTERVAL = 5.0


class Adopter:
    """Sends abandoned spools to Redis.

    Args:
        channel: to Redis, of the adopter's own: the recorder's is in use.
        database: asked what was flushed: Redis may have lost its memory since.
    """

    def __init__(self, channel: Channel, database: Database, spool_dir: Path) -> None:
        self._channel = channel
        self._database = database
        self._spool_dir = spool_dir
        # Those whose sending was interrupted: they stay this process's.
        self._adopted: list[Spool] = []
        self._unreadable: set[Path] = set()

    async def run(self) -> None:
        """Looks for abandoned spools for ever, and at once."""
        while True:
            try:
                await self.adopt()
            except (RedisError, OSError, DatabaseUnavailableError):
                # Others have said in the log that Redis, the disk or SQL is away.
                await self._channel.close()
            await asyncio.sleep(_INTERVAL)

    async def adopt(self) -> None:
        """Sends all that can be adopted now.

        Raises:
            RedisError, OSError, DatabaseUnavailableError: Redis, the disk or SQL is away; nothing
                is lost.
        """
        self._adopted += await asyncio.to_thread(self._find)
        while self._adopted:
            await self._send(self._adopted[0])
            self._adopted.pop(0)

    async def close(self) -> None:
        """Leaves the rest to another."""
        await self._channel.close()
        for spool in self._adopted:
            spool.close()

    def _find(self) -> list[Spool]:
        return list(Spool.adopt(self._spool_dir, self._unreadable))

    async def _send(self, spool: Spool) -> None:
        waiting = spool.clicks
        async with self._database.read() as connection:
            spool.confirm(await clicks.flushed_number(connection, spool.writer))
        while batches := await asyncio.to_thread(spool.head):
            # What this server confirmed to the writer is not known: nothing is missing in it.
            await self._channel.add(spool.writer, 0, batches)
            await asyncio.to_thread(partial(spool.confirm, batches[-1].number))
        await asyncio.to_thread(spool.remove)
        if waiting:
            logger.info("%d clicks of a process that ended are counted", waiting)
