"""Group commit of clicks, into Redis or, while it is away, into a spool on disk.

Clicks add up in a batch while the one before is being stored; when that is done, and no more clicks
have come in meanwhile, the next goes. There is no timer: under load batches grow by themselves,
alone a click waits one round trip.
Batches of a writer are numbered, and Redis remembers the last number it applied, so a batch whose
reply was lost is sent again under its number and counted once.

    direct     Redis confirms a batch within the time-out, and its clicks are answered.
    spooling   Redis did not: that batch, and all that come after it, are written to the spool and
               answered then. Meanwhile the spool is sent, in order; when it is empty, direct again.
    neither    The disk fails as well: clicks are answered at once and wait in memory.

A disk that fails never keeps clicks from Redis. A spool that can't be read back stays there for
whoever adopts it when the disk is well, under its writer's name, and the recorder goes on as a new
writer.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from redis.exceptions import RedisError

from redirector.batches import MAX_FIELDS, Field, NumberedBatch
from redirector.counters import ANSWER_TIMEOUT, field
from redirector.durability import Durability
from redirector.gathering import Answer, Gathering
from redirector.redis_client import RedisClient
from redirector.spool_format import SpoolDiskError, SpoolError
from redirector.spooling import Spooling
from tracking import clicks
from tracking.background import cancel, start_vital
from tracking.clicks import SECONDS_PER_HOUR, Audience, hour_of
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence

logger = logging.getLogger(__name__)

_PING_INTERVAL = 1.0
_FIRST_BACKOFF = 0.05
_LAST_BACKOFF = 1.0
# A disk that takes longer to store a batch, in seconds, is as good as none: visitors go on.
_DISK_PATIENCE = 2.0
# How long a stopping process waits for it to close a spool.
_DISK_CLOSE_SECONDS = 0.5
# Redis forgets writers that recorded nothing for a day (redirector/flusher.py).
_SIGN_OF_LIFE_SECONDS = 3600.0
# Names of counters that are remembered, of about 200 bytes each.
_MAX_NAMES = 100_000
# The last few fields of a spool are sent while new clicks wait.
_LAST_FIELDS = MAX_FIELDS // 4
# How often a batch is held back for clicks that are arriving.
_GATHERING_ROUNDS = 5


class MemoryLostError(RedisError):
    """Redis has forgotten batches that it had confirmed."""


class Recorder:
    """The clicks of one redirector process on their way into Redis.

    Args:
        redis_client: to Redis, of the recorder's own.
        database: asked what was flushed, when Redis may have forgotten it.
        spool_dir: where clicks go while Redis is away.
        commit_timeout: seconds that a redirect waits at most for Redis.
    """

    def __init__(
        self, redis_client: RedisClient, database: Database, spool_dir: Path, commit_timeout: float
    ) -> None:
        self.writer = uuid4().hex
        self.presence = Presence(
            "Redis", "redirects go on, clicks are kept on disk", logger, starts_too=True
        )
        self.disk = Presence("the spool's disk", "clicks wait in memory", logger)
        self._redis_client = redis_client
        self._database = database
        self._spool_dir = spool_dir
        self._spool = Spooling(spool_dir, self.writer)
        self._commit_timeout = commit_timeout
        # The numbers of the batches that were gathered, sent, and confirmed last; and the batch
        # under way, with its number.
        self._number = self._sent = self._confirmed = 0
        self._numbered: NumberedBatch | None = None
        # The hour that clicks belong to, and the names of its counters, which are made but once.
        self._hour = hour_of(time.time())
        self._names: dict[tuple[int, Audience], Field] = {}
        self._gathering = Gathering()
        self._under_way: Gathering | None = None
        self._direct = False
        self._storable = True
        self._memory_lost = False
        self._turn = asyncio.Lock()
        # Set by a click that begins a batch, and once a second.
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._redis_lost = asyncio.Event()
        self._stored_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to store; waits for Redis for as long as a redirect would."""
        try:
            async with asyncio.timeout(self._commit_timeout):
                await self._redis_client.ping()
        except (RedisError, OSError) as error:
            await self._lose_redis(error)
        else:
            self._find_redis()
        work = (self._store_batches(), self._return_to_redis(), self._wake())
        self._tasks = [start_vital(part) for part in work]

    @property
    def unconfirmed_clicks(self) -> int:
        """How many clicks are neither confirmed by Redis nor on disk."""
        return self._gathering.clicks + (self._under_way.clicks if self._under_way else 0)

    @property
    def spooled_clicks(self) -> int:
        """How many clicks are on disk and not yet confirmed by Redis."""
        return self._spool.clicks

    @property
    def durability(self) -> Durability:
        """What a click survives that Redis confirmed."""
        return self._redis_client.durability

    def record(self, campaign_id: int, audience: Audience, answer: Answer) -> None:
        """Counts a click of now.

        Args:
            answer: called once, when the redirect may be answered; at once when neither Redis nor
                the disk can store the click.
        """
        batch = self._gathering
        if not batch.clicks:
            self._begin(batch)
        key = (campaign_id, audience)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = field(campaign_id, self._hour, audience)
        counts = batch.counts
        counts[name] = counts.get(name, 0) + 1
        batch.clicks += 1
        if self._storable:
            batch.answers.append(answer)
        else:
            answer()

    def _begin(self, batch: Gathering) -> None:
        """Does once for a batch what need not be done for each of its clicks."""
        batch.began = time.monotonic()
        self._woken.set()
        self._idle.clear()
        self._note_hour()

    def _note_hour(self) -> None:
        """Lets clicks from now on belong to the hour that it is."""
        hour = hour_of(time.time())
        if hour != self._hour or len(self._names) > _MAX_NAMES:
            self._hour = hour
            self._names.clear()

    async def count(self, campaign_id: int, audience: Audience) -> None:
        """Counts a click of now, and returns when the redirect may be answered.

        A visitor who leaves meanwhile is counted all the same.
        """
        stored = asyncio.get_running_loop().create_future()
        self.record(campaign_id, audience, partial(_resolve, stored))
        await stored

    async def close(self, at_most: float) -> None:
        """Stops when all clicks are stored, or after `at_most` seconds, and some for the disk."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._idle.wait()
        await cancel(*self._tasks)
        await self._redis_client.close()
        await self._spool.close(_DISK_CLOSE_SECONDS)
        if self.unconfirmed_clicks:
            logger.error("%d clicks were never stored", self.unconfirmed_clicks)

    async def _store_batches(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            if not self._gathering.clicks:
                await self._be_idle()
                continue
            await self._gather()
            batch = self._under_way = self._next_batch()
            self._number += 1
            self._numbered = NumberedBatch(self._number, batch.counts)
            await self._store(batch)
            self._under_way = self._numbered = None
            batch.release()
            if self._gathering.clicks:
                self._woken.set()
            else:
                self._idle.set()

    async def _wake(self) -> None:
        while True:
            # A batch that can't be stored for hours has clicks of several.
            next_hour = SECONDS_PER_HOUR - time.time() % SECONDS_PER_HOUR
            await asyncio.sleep(min(_PING_INTERVAL, next_hour))
            self._note_hour()
            self._woken.set()

    async def _gather(self) -> None:
        """Lets the event loop read what the network holds already, until that brings no click.

        Those who were just answered, and click again, join this batch instead of the next. A batch
        costs the processor as much as thirty clicks: a switch to Redis and back, and an fsync.
        """
        for _ in range(_GATHERING_ROUNDS):
            clicks = self._gathering.clicks
            await asyncio.sleep(0)
            if self._gathering.clicks == clicks or len(self._gathering.counts) >= MAX_FIELDS:
                break

    async def _be_idle(self) -> None:
        """Notices that Redis is gone before a visitor does."""
        quiet = time.monotonic() - self._stored_at
        if not self._direct or quiet < _PING_INTERVAL:
            return
        async with self._turn:
            try:
                async with asyncio.timeout(self._commit_timeout):
                    if quiet < _SIGN_OF_LIFE_SECONDS:
                        await self._redis_client.ping()
                    else:
                        self._number += 1
                        await self._add([NumberedBatch(self._number, {})])
            except (RedisError, OSError) as error:
                await self._lose_redis(error)

    def _next_batch(self) -> Gathering:
        if len(self._gathering.counts) > MAX_FIELDS:
            return self._gathering.split(MAX_FIELDS)
        batch, self._gathering = self._gathering, Gathering()
        return batch

    async def _store(self, batch: Gathering) -> None:
        """Returns when the batch is in Redis or on disk, however long that takes."""
        pause = _FIRST_BACKOFF
        while True:
            async with self._turn:
                if self._direct and await self._store_in_redis(batch):
                    break
                if await self._store_on_disk():
                    break
            await asyncio.sleep(_jittered(pause))
            pause = min(pause * 2, _LAST_BACKOFF)
        if not self._storable:
            logger.warning("clicks are stored again before they are answered")
            self._storable = True

    async def _store_in_redis(self, batch: Gathering) -> bool:
        assert self._numbered is not None
        waited = time.monotonic() - batch.began if batch.answers else 0.0
        # Redis gets half the time at least, however long the batch before took.
        patience = max(self._commit_timeout - waited, self._commit_timeout / 2)
        try:
            await self._add([self._numbered], patience)
        except (RedisError, OSError) as error:
            await self._lose_redis(error)
            return False
        return True

    async def _store_on_disk(self) -> bool:
        assert self._numbered is not None
        sent = self._numbered.number <= self._sent
        writing = asyncio.ensure_future(self._spool.append(self._numbered, sent=sent))
        await asyncio.wait({writing}, timeout=_DISK_PATIENCE)
        if not writing.done():
            self._let_go(SpoolDiskError(f"nothing was written for {_DISK_PATIENCE:g} s"))
        try:
            await writing
        except SpoolError as error:
            self._let_go(error)
            return False
        self.disk.found()
        return True

    def _let_go(self, error: SpoolError) -> None:
        """Answers everyone although nothing is stored: a visitor does not wait for a counter."""
        self.disk.lost(error)
        if self._storable:
            logger.error("%d clicks are neither in Redis nor on disk", self.unconfirmed_clicks)
        self._storable = False
        for batch in (self._under_way, self._gathering):
            if batch is not None:
                batch.release()

    async def _add(
        self, batches: Sequence[NumberedBatch], patience: float = ANSWER_TIMEOUT
    ) -> None:
        """Sends batches, which are confirmed when this returns.

        Raises:
            MemoryLostError: Redis has forgotten what it had confirmed; nothing was added.
            RedisError, OSError: they may have been added or not.
        """
        self._sent = max(self._sent, batches[-1].number)
        last = await self._redis_client.add(self.writer, self._confirmed, batches, patience)
        if last < self._confirmed:
            logger.error(
                "Redis has lost its memory: it knows %d of the %d batches that it had confirmed; "
                "clicks among them that were not flushed are lost",
                last,
                self._confirmed,
            )
            self._confirmed = last
            self._memory_lost = True
            raise MemoryLostError("it has lost its memory")
        self._confirmed = batches[-1].number
        self._stored_at = time.monotonic()

    async def _return_to_redis(self) -> None:
        """Whenever Redis was lost: tries to reach it, ever more slowly, and sends the spool."""
        while True:
            await self._redis_lost.wait()
            pause = _FIRST_BACKOFF
            while self._redis_lost.is_set():
                # Jitter: many writers must not come back in step.
                await asyncio.sleep(_jittered(pause))
                pause = min(pause * 2, _LAST_BACKOFF)
                try:
                    await self._redis_client.ping()
                    await self._send_spool()
                except (RedisError, OSError, DatabaseUnavailableError) as error:
                    await self._lose_redis(error)
                except SpoolError as error:
                    await self._begin_anew(error)

    async def _send_spool(self) -> None:
        """Sends what is on disk, and at the end goes back to sending clicks to Redis directly."""
        if not self._spool.empty:
            await self._drop_flushed()
        while self._spool.fields > _LAST_FIELDS:
            await self._send_head()
        # Now new clicks wait, so that nothing more comes into the spool.
        async with self._turn:
            while not self._spool.empty:
                await self._send_head(self._commit_timeout)
            await self._spool.remove()
            self._memory_lost = False
            self._find_redis()

    async def _drop_flushed(self) -> None:
        """Drops what is in SQL: Redis may have forgotten that it ever had it.

        Raises:
            DatabaseUnavailableError: SQL can't be asked, and Redis has lost its memory.
        """
        try:
            async with self._database.read(self._database.patience) as connection:
                number = await clicks.flushed_number(connection, self.writer)
        except DatabaseUnavailableError:
            if self._memory_lost:
                raise
        else:
            await self._spool.confirm(number)

    async def _send_head(self, patience: float = ANSWER_TIMEOUT) -> None:
        batches = await self._spool.head()
        if batches:
            await self._add(batches, patience)
            await self._spool.confirm(batches[-1].number)

    async def _begin_anew(self, error: SpoolError) -> None:
        """Leaves a spool that can't be read to whoever adopts it, and goes on as a new writer.

        The batch under way comes after all that is in the spool, so that it was never sent, and can
        have a number of the new writer's.
        """
        async with self._turn:
            logger.error("the spool can't be read (%s): clicks go on without it", error)
            await self._spool.close(_DISK_CLOSE_SECONDS)
            self.writer = uuid4().hex
            self._spool = Spooling(self._spool_dir, self.writer)
            self._number = self._sent = self._confirmed = 0
            if self._numbered is not None:
                self._number = 1
                self._numbered = NumberedBatch(1, self._numbered.counts)

    def _find_redis(self) -> None:
        self.presence.found()
        self._direct = True
        self._redis_lost.clear()

    async def _lose_redis(self, error: Exception) -> None:
        # A time-out has no text of its own.
        self.presence.lost(error if str(error) else TimeoutError("it took too long"))
        self._direct = False
        self._redis_lost.set()
        await self._redis_client.close()


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _resolve(stored: asyncio.Future[None]) -> None:
    if not stored.done():
        stored.set_result(None)
