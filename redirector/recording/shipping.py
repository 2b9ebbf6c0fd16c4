"""When a living writer ships: ten times a second, at once when somebody waits for Redis."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from redirector.counters.client import CounterClient
from redirector.journal.errors import JournalError
from redirector.recording.shipper import Shipper
from redirector.recording.unacknowledged import Unacknowledged
from tracking.background import cancel, start_vital
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence

logger = logging.getLogger(__name__)

INTERVAL = 0.1
_ACKNOWLEDGE_INTERVAL = 0.5
_FIRST_BACKOFF = 0.05
_LAST_BACKOFF = 1.0


class Shipping:
    """Ships what waits, and asks SQL what has arrived there.

    Args:
        client: to Redis, that the shipper uses.
        interval: seconds between two shipments.
        may_ship: asked before each shipment.
        on_progress: called when Redis or SQL has more, or Redis is there or away.
    """

    def __init__(
        self,
        shipper: Shipper,
        waiting: Unacknowledged,
        client: CounterClient,
        *,
        interval: float,
        may_ship: Callable[[], bool],
        on_progress: Callable[[], None],
    ) -> None:
        self.redis = Presence("Redis", "clicks wait in the journal", logger, starts_too=True)
        self._shipper = shipper
        self._waiting = waiting
        self._client = client
        self._interval = interval
        self._may_ship = may_ship
        self._on_progress = on_progress
        self._hurry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins."""
        self._tasks = [start_vital(part) for part in (self._ship(), self._acknowledge())]

    def hurry(self) -> None:
        """Ships at once: somebody waits for Redis."""
        self._hurry.set()

    async def ship_all(self) -> None:
        """Returns when Redis has everything, however long that takes."""
        while not self._waiting.all_sent:
            self.hurry()
            await asyncio.sleep(self._interval / 10)

    async def close(self) -> None:
        """Ends."""
        await cancel(*self._tasks)
        await self._client.close()

    async def _ship(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                await self._shipper.ship(may_go_on=self._may_go_on)
            except (RedisError, OSError) as error:
                # A time-out has no text of its own.
                self.redis.lost(error if str(error) else TimeoutError("it took too long"))
                self._on_progress()
                await self._client.close()
                await asyncio.sleep(jittered(backoff))
                backoff = min(backoff * 2, _LAST_BACKOFF)
            except (DatabaseUnavailableError, JournalError):
                # Others have said in the log that SQL, or the disk, is away.
                await asyncio.sleep(_LAST_BACKOFF)
            else:
                self.redis.found()
                self._on_progress()
                backoff = _FIRST_BACKOFF

    def _may_go_on(self) -> bool:
        self._on_progress()
        return self._may_ship()

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(_ACKNOWLEDGE_INTERVAL)
            if len(self._waiting):
                with suppress(DatabaseUnavailableError):  # others have said that it is away
                    await self._shipper.acknowledge()
                    self._on_progress()


def jittered(seconds: float) -> float:
    """About so many: many writers must not come back in step."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret
