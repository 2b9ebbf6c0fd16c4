"""Recovery: the journals of processes that ended are finished by one that lives."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from redirector.counters.client import CounterClient
from redirector.journal import directory
from redirector.journal.disk_thread import DiskThread
from redirector.journal.errors import JournalError
from redirector.journal.file import JournalFile
from redirector.journal.format import Place
from redirector.journal.records import Record
from redirector.recording.shipper import Shipper
from redirector.recording.unacknowledged import Entry, Unacknowledged
from tracking.background import finish
from tracking.database import Database
from tracking.errors import DatabaseUnavailableError
from tracking.presence import Presence

logger = logging.getLogger(__name__)

# A process that ends is followed by another within seconds; what waits for SQL is looked at sooner.
_INTERVAL = 5.0
_WAITING_INTERVAL = 0.5
# How long a stopping process waits for a disk that hangs.
_CLOSE_SECONDS = 0.5


class _Recovered:
    """A journal that this process took over. It is shipped from, and never written to."""

    def __init__(
        self, file: JournalFile, waiting: Unacknowledged, shipper: Shipper, clicks: int
    ) -> None:
        self.file = file
        self.waiting = waiting
        self.shipper = shipper
        self.clicks = clicks


class Recovery:
    """Ships abandoned journals, each by itself: one that can't be used stops no other.

    Args:
        client: to Redis, of its own: the recorder's is in use.
        database: that says what has arrived there.
    """

    def __init__(self, client: CounterClient, database: Database, journal_dir: Path) -> None:
        self._client = client
        self._database = database
        self._journal_dir = journal_dir
        self._directory = Presence("the journals' directory", "nothing is recovered", logger)
        self._thread = DiskThread("recovery")
        self._recovered: dict[Path, _Recovered] = {}
        # What was last said in the log of those that can't be used.
        self._complaints: dict[Path, str] = {}

    @property
    def waiting_clicks(self) -> int:
        """How many clicks of ended processes wait for SQL, as far as is known."""
        return sum(each.waiting.journalled_clicks for each in self._recovered.values())

    async def run(self) -> None:
        """Looks for abandoned journals for ever, and at once."""
        while True:
            await self.recover()
            await asyncio.sleep(_WAITING_INTERVAL if self._recovered else _INTERVAL)

    async def recover(self) -> None:
        """Takes over what nobody owns, ships what can be shipped, and ends what SQL has."""
        try:
            await self._thread.run(partial(directory.tidy, self._journal_dir))
            paths = await self._thread.run(partial(directory.files, self._journal_dir))
        except JournalError as error:
            self._directory.lost(error)
            return
        self._directory.found()
        for gone in self._complaints.keys() - set(paths):
            del self._complaints[gone]
        # One that this process has open it finishes, though somebody deleted the file.
        for path in sorted({*paths, *self._recovered}):
            try:
                await self._advance(path)
            except JournalError as error:
                self._leave(path, str(error))
            except (RedisError, OSError, DatabaseUnavailableError):
                # Others have said in the log that Redis or SQL is away.
                await self._client.close()

    async def close(self) -> None:
        """Leaves the rest to another."""
        await self._client.close()
        closing = [self._thread.run(each.file.close) for each in self._recovered.values()]
        await finish(*map(asyncio.create_task, closing), at_most=_CLOSE_SECONDS)
        self._thread.end()

    async def _advance(self, path: Path) -> None:
        found = self._recovered.get(path) or await self._take_over(path)
        if found is None:
            return
        await found.shipper.acknowledge()
        # Redis may have more of the writer than its journal: clicks from while its disk was away.
        # For as long as the writer has not ended the flusher looks for them.
        await found.shipper.ship()
        if len(found.waiting) or not found.waiting.sql_has_all_of_redis:
            return
        await found.shipper.end()
        await self._thread.run(found.file.remove)
        del self._recovered[path]
        self._complaints.pop(path, None)
        if found.clicks:
            logger.info("%d clicks of a process that ended are counted", found.clicks)

    async def _take_over(self, path: Path) -> _Recovered | None:
        adopted = await self._thread.run(partial(JournalFile.adopt, path))
        if adopted is None:
            return None
        file, records = adopted
        now = time.monotonic()
        waiting = Unacknowledged(
            Entry(placed.record, now, place=placed.place, held=False) for placed in records
        )

        async def read(places: Sequence[Place]) -> list[Record]:
            return await self._thread.run(partial(file.read, places))

        shipper = Shipper(file.writer, waiting, self._client, self._database, read)
        found = self._recovered[path] = _Recovered(file, waiting, shipper, 0)
        with suppress(DatabaseUnavailableError):
            await shipper.acknowledge()
        found.clicks = waiting.journalled_clicks
        return found

    def _leave(self, path: Path, reason: str) -> None:
        """Says once what is wrong with a journal."""
        if self._complaints.get(path) != reason:
            logger.error("the journal %s is left alone: %s", path.name, reason)
            self._complaints[path] = reason
