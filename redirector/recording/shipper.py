"""Shipping: what SQL has not of a writer goes to Redis, and leaves the journal when SQL has it.

A shipment is a range of records, merged. Redis adds it when it follows what it has of the writer,
and answers how far it is: so a lost reply is harmless, and a Redis that has forgotten, or
remembers an older state, says from where to go on. Nothing is dropped before SQL has it.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from redirector.counters.client import CounterClient
from redirector.journal.format import Place
from redirector.journal.records import Record, added_up
from redirector.recording.unacknowledged import Entry, Unacknowledged
from tracking import writers
from tracking.database import Database
from tracking.writers import Writer

logger = logging.getLogger(__name__)

# A writer that only waits says now and then that it lives (tracking/writers.py: SILENT_SECONDS).
_SIGN_OF_LIFE_SECONDS = 24 * 3600.0
# A Redis that has forgotten is noticed when nothing is sent, too.
_ASK_SECONDS = 1.0

Read = Callable[[Sequence[Place]], Awaitable[list[Record]]]
"""Reads records from a journal; those that are damaged are left out."""


class Shipper:
    """Sends one writer's records.

    Args:
        client: to Redis; whoever else uses it does so in turns.
        read: reads what is not in memory any more.
    """

    def __init__(
        self,
        writer: Writer,
        waiting: Unacknowledged,
        client: CounterClient,
        database: Database,
        read: Read,
    ) -> None:
        self._writer = writer
        self._waiting = waiting
        self._client = client
        self._database = database
        self._read = read
        self._registered_at: float | None = None
        self._asked_at = float("-inf")
        self._stuck = False

    async def ship(self, *, may_go_on: Callable[[], bool] = lambda: True) -> None:
        """Sends what can be sent now.

        Args:
            may_go_on: asked before each shipment.

        Raises:
            RedisError, OSError: Redis is away; nothing is lost.
            DatabaseUnavailableError: SQL is, and does not know the writer yet.
            JournalError: what is on disk can't be read.
        """
        waiting = self._waiting
        await self._register()
        if waiting.position is None or time.monotonic() - self._asked_at > _ASK_SECONDS:
            self._confirm(await self._client.number_of(self._writer, waiting.acknowledged))
        while may_go_on() and (entries := waiting.next_to_send()):
            position = waiting.position
            counts = added_up(await self._records(entries))
            if waiting.position != position:
                continue  # SQL has some of them by now
            if not counts:
                waiting.drop(entries)
                continue
            assert waiting.position is not None
            # Numbers that are missing stand for nothing: the range begins where Redis is.
            first, last = waiting.position + 1, entries[-1].last
            number = await self._client.ship(
                self._writer, waiting.acknowledged, first, last, counts
            )
            self._confirm(number)
        self._note_stuck()

    async def acknowledge(self) -> None:
        """Asks SQL how far it is.

        Raises:
            DatabaseUnavailableError: it can't be asked.
        """
        async with self._database.read(self._database.patience) as connection:
            self._waiting.acknowledge(await writers.number_of(connection, self._writer))

    async def end(self) -> None:
        """Tells SQL that the writer is gone, all of whose clicks it has.

        Raises:
            DatabaseUnavailableError: it can't be told.
        """
        async with self._database.write() as connection:
            await writers.end(connection, self._writer)

    async def _register(self) -> None:
        now = time.monotonic()
        if self._registered_at is None or now - self._registered_at > _SIGN_OF_LIFE_SECONDS:
            async with self._database.write() as connection:
                await writers.register(connection, self._writer)
            self._registered_at = now

    def _confirm(self, number: int) -> None:
        self._asked_at = time.monotonic()
        before = self._waiting.position
        if before is not None and number < before:
            logger.warning(
                "Redis has forgotten records %d to %d of this writer: they are sent again",
                number + 1,
                before,
            )
        self._waiting.confirm(number)

    async def _records(self, entries: Sequence[Entry]) -> list[Record]:
        # Before anybody waits: what is held may be let go meanwhile.
        held = [entry.record for entry in entries if entry.counts is not None]
        missing = [entry for entry in entries if entry.counts is None]
        places = [entry.place for entry in missing if entry.place]
        if not places:
            return held
        read = await self._read(places)
        if len(read) < len(places):
            found = {record.first for record in read}
            lost = [entry for entry in missing if entry.first not in found]
            logger.error(
                "%d records of the journal of %s were damaged on the disk: their %d clicks are "
                "lost, unless SQL or Redis has them",
                len(lost),
                self._writer,
                sum(entry.clicks for entry in lost),
            )
        return [*read, *held]

    def _note_stuck(self) -> None:
        """Says once that a record is neither before nor behind what Redis and SQL have."""
        stuck = self._waiting.straddles
        if stuck and not self._stuck:
            logger.error(
                "a record of %s begins before, and ends behind, what was sent of it: two copies of "
                "its journal are in use. Nothing is counted twice; what follows waits",
                self._writer,
            )
        self._stuck = stuck
