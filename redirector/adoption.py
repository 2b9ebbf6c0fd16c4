"""Adoption: the spools of processes that ended are sent by one that lives."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from redirector.disk_thread import DiskThread
from redirector.redis_client import RedisClient
from redirector.spool import Spool
from redirector.spool_files import spool_files, tidy
from redirector.spool_format import SpoolError
from tracking import clicks
from tracking.background import finish
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence

logger = logging.getLogger(__name__)

# A process that ends while Redis is away is followed by another within seconds.
_INTERVAL = 5.0
# How long a stopping process waits for a disk that hangs.
_CLOSE_SECONDS = 0.5


class Adopter:
    """Sends abandoned spools to Redis, each by itself: one that can't be used stops no other.

    Args:
        redis_client: to Redis, of the adopter's own: the recorder's is in use.
        database: asked what was flushed: Redis may have lost its memory since.
    """

    def __init__(self, redis_client: RedisClient, database: Database, spool_dir: Path) -> None:
        self._redis_client = redis_client
        self._database = database
        self._spool_dir = spool_dir
        self._directory = Presence("the spools' directory", "nothing there is adopted", logger)
        self._thread = DiskThread("adoption")
        # Those whose sending was interrupted, or whose file could not be deleted: they stay ours.
        self._adopted: dict[Path, Spool] = {}
        # What was last said in the log of those that can't be used.
        self._complaints: dict[Path, str] = {}

    async def run(self) -> None:
        """Looks for abandoned spools for ever, and at once."""
        while True:
            try:
                await self.adopt()
            except (RedisError, OSError, DatabaseUnavailableError):
                # Others have said in the log that Redis or SQL is away.
                await self._redis_client.close()
            await asyncio.sleep(_INTERVAL)

    async def adopt(self) -> None:
        """Sends all that can be adopted now.

        Raises:
            RedisError, OSError, DatabaseUnavailableError: Redis or SQL is away; nothing is lost.
        """
        try:
            await self._thread.run(partial(tidy, self._spool_dir))
            paths = await self._thread.run(partial(spool_files, self._spool_dir))
        except SpoolError as error:
            self._directory.lost(error)
            return
        self._directory.found()
        for gone in self._complaints.keys() - set(paths):
            del self._complaints[gone]
        for path in paths:
            try:
                await self._adopt(path)
            except SpoolError as error:
                await self._leave(path, str(error))

    async def close(self) -> None:
        """Leaves the rest to another."""
        await self._redis_client.close()
        closing = [self._thread.run(spool.close) for spool in self._adopted.values()]
        await finish(*map(asyncio.create_task, closing), at_most=_CLOSE_SECONDS)
        self._thread.end()

    async def _adopt(self, path: Path) -> None:
        spool = self._adopted.get(path) or await self._thread.run(partial(Spool.adopt, path))
        if spool is not None:
            self._adopted[path] = spool
            await self._send(spool)
            del self._adopted[path]

    async def _leave(self, path: Path, reason: str) -> None:
        """Says once what is wrong with a spool, and holds no lock on what it can't send."""
        if self._complaints.get(path) != reason:
            logger.error("the spool %s is left alone: %s", path.name, reason)
            self._complaints[path] = reason
        spool = self._adopted.get(path)
        if spool is not None and not spool.empty:
            del self._adopted[path]
            await self._thread.run(spool.close)

    async def _send(self, spool: Spool) -> None:
        waiting = spool.clicks
        async with self._database.read(self._database.patience) as connection:
            spool.confirm(await clicks.flushed_number(connection, spool.writer))
        while batches := await self._thread.run(spool.head):
            # What this server confirmed to the writer is not known: nothing is missing in it.
            await self._redis_client.add(spool.writer, 0, batches)
            await self._thread.run(partial(spool.confirm, batches[-1].number))
        if waiting:
            logger.info("%d clicks of a process that ended are counted", waiting)
        await self._thread.run(spool.remove)
