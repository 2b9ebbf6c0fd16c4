"""Group commit of clicks into Redis.

Clicks add up in a batch while the one before is under way; when Redis has confirmed that one, the
next goes. There is no timer: under load batches grow by themselves, alone a click waits one round
trip. Batches of a writer are numbered, and Redis remembers the last number it applied, so a batch
whose reply was lost is sent again under its number and counted once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from uuid import uuid4

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError

from redirector.background import cancel, start_vital
from redirector.counters import APPLIED, PENDING, RECORD, Field, field
from redirector.presence import Presence
from tracking.clicks import Audience, hour_of

logger = logging.getLogger(__name__)

# A thousand fields keep Redis busy for about a millisecond. After an outage many more may wait.
MAX_FIELDS = 1000

_PING_INTERVAL = 1.0
_FIRST_BACKOFF = 0.05
_LAST_BACKOFF = 1.0


class _Batch:
    """Clicks that are sent to Redis together, and the requests that wait for them."""

    __slots__ = ("_timer", "clicks", "counts", "window")

    def __init__(self) -> None:
        self.counts: dict[Field, int] = {}
        self.clicks = 0
        self.window: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, name: Field) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        self.clicks += 1

    def wait(self, at_most: float) -> asyncio.Future[None]:
        """A future that is done when the batch is confirmed, or `at_most` seconds after the first
        of those who share it came."""
        if self.window is None:
            loop = asyncio.get_running_loop()
            self.window = loop.create_future()
            self._timer = loop.call_later(at_most, self.release)
        return self.window

    def release(self) -> None:
        """Lets everyone go who waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self.window is not None:
            self.window.set_result(None)
        self._timer = self.window = None

    def split(self, most: int) -> "_Batch":
        """Takes the first `most` fields out, into a batch that nobody waits for."""
        part = _Batch()
        for name in list(self.counts)[:most]:
            part.counts[name] = self.counts.pop(name)
        part.clicks = sum(part.counts.values())
        self.clicks -= part.clicks
        return part


class Recorder:
    """The clicks of one redirector process on their way into Redis.

    Args:
        connection: of the recorder's own, not yet open.
        commit_timeout: seconds that a redirect waits at most for its click's confirmation.
    """

    def __init__(self, connection: AbstractConnection, commit_timeout: float) -> None:
        self.writer = uuid4().hex
        self.presence = Presence("Redis", "redirects go on, clicks wait in memory", logger)
        self._connection = connection
        self._commit_timeout = commit_timeout
        self._number = 0
        self._gathering = _Batch()
        self._under_way: _Batch | None = None
        self._clicked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to send; needs a running event loop."""
        self._task = start_vital(self._run())

    @property
    def unconfirmed_clicks(self) -> int:
        """How many clicks Redis has not yet confirmed."""
        return self._gathering.clicks + (self._under_way.clicks if self._under_way else 0)

    def record(self, campaign_id: int, audience: Audience) -> asyncio.Future[None] | None:
        """Counts a click of now.

        Returns:
            A future that is done when the redirect may be answered; others wait for it too, so it
            must never be cancelled. None when the redirect may be answered at once, since Redis is
            known to be away.
        """
        batch = self._gathering
        batch.add(field(campaign_id, hour_of(time.time()), audience))
        self._clicked.set()
        self._idle.clear()
        return None if self.presence.away else batch.wait(self._commit_timeout)

    async def count(self, campaign_id: int, audience: Audience) -> None:
        """Counts a click of now, and returns when the redirect may be answered.

        A visitor who leaves meanwhile is counted all the same, and takes nobody along who waits for
        the same batch.
        """
        confirmed = self.record(campaign_id, audience)
        if confirmed is not None:
            await asyncio.shield(confirmed)

    async def close(self, at_most: float) -> None:
        """Stops when all clicks are confirmed, or after `at_most` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._idle.wait()
        if self._task is not None:
            await cancel(self._task)
        await self._connection.disconnect(nowait=True)
        if self.unconfirmed_clicks:
            logger.error("%d clicks were never confirmed by Redis", self.unconfirmed_clicks)

    async def _run(self) -> None:
        await self._insist(self._ping)
        while True:
            if not await self._clicked_within(_PING_INTERVAL):
                await self._insist(self._ping)
                continue
            batch = self._under_way = self._next_batch()
            self._number += 1
            await self._insist(partial(self._send, self._number, batch))
            self._under_way = None
            batch.release()
            if not self._clicked.is_set():
                self._idle.set()

    async def _clicked_within(self, seconds: float) -> bool:
        if not self._clicked.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._clicked.wait()
        return self._clicked.is_set()

    def _next_batch(self) -> _Batch:
        if len(self._gathering.counts) > MAX_FIELDS:
            return self._gathering.split(MAX_FIELDS)
        batch, self._gathering = self._gathering, _Batch()
        self._clicked.clear()
        return batch

    async def _insist(self, action: Callable[[], Awaitable[None]]) -> None:
        """Repeats the action until it succeeds, ever more slowly."""
        pause = _FIRST_BACKOFF
        while True:
            try:
                await action()
            except (RedisError, OSError) as error:
                self.presence.lost(error)
                await self._connection.disconnect(nowait=True)
                for batch in (self._gathering, self._under_way):
                    if batch is not None:
                        batch.release()
                # Jitter: many writers must not come back in step.
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
                pause = min(pause * 2, _LAST_BACKOFF)
            else:
                self.presence.found()
                return

    async def _ping(self) -> None:
        await self._connection.connect()
        await self._connection.send_command("PING")
        await self._connection.read_response()

    async def _send(self, number: int, batch: _Batch) -> None:
        arguments: list[str | int] = [PENDING, APPLIED, self.writer, number]
        for name, clicks in batch.counts.items():
            arguments += (name, clicks)
        await self._connection.connect()
        try:
            await self._evaluate("EVALSHA", RECORD.sha, arguments)
        except NoScriptError:
            await self._evaluate("EVAL", RECORD.text, arguments)

    async def _evaluate(self, command: str, script: str, arguments: list[str | int]) -> None:
        await self._connection.send_command(command, script, 2, *arguments)
        await self._connection.read_response()
