"""Group commit of clicks into this process's journal, and their way to Redis.

Clicks add up in a group while the one before is being stored; when that is done, and no more clicks
have come in meanwhile, the next goes. There is no timer: under load groups grow by themselves,
alone a click waits for one write. Each group has a number, and its record waits in memory until it
is on disk: whether the disk takes it or not it is shipped under its number, and kept until SQL has
it.

What an answer waits for is the setting `DURABILITY`: by default that the record is on disk. What
does not come in `COMMIT_TIMEOUT` is away until it comes, and the other is waited for; with both
away visitors are led on, and clicks wait in memory.
"""

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from redirector.counters.client import CounterClient
from redirector.counters.keys import CounterName, counter_name
from redirector.journal.errors import JournalError
from redirector.journal.format import Place
from redirector.journal.journal import Journal
from redirector.journal.records import MAX_COUNTERS, Record
from redirector.recording.durability import Durability
from redirector.recording.open_group import Answer, OpenGroup
from redirector.recording.shipper import Shipper
from redirector.recording.shipping import INTERVAL, Shipping, jittered
from redirector.recording.unacknowledged import Entry, Unacknowledged
from tracking.background import cancel, start_vital
from tracking.clicks import SECONDS_PER_HOUR, Audience, hour_of
from tracking.database import Database
from tracking.presence import Presence

logger = logging.getLogger(__name__)

_FIRST_BACKOFF = 0.05
_LAST_BACKOFF = 1.0
# How long a starting process waits for the journal to be made.
_DISK_START_SECONDS = 2.0
# How long a stopping process waits for a disk that hangs.
_DISK_CLOSE_SECONDS = 0.5
# Names of counters that are remembered, of about 170 bytes each.
_MAX_NAMES = 20_000
# How often a group is held back for clicks that are arriving.
_GATHERING_ROUNDS = 5


class Recorder:
    """The clicks of one redirector process on their way into its journal and Redis.

    Args:
        client: to Redis, of the recorder's own.
        database: that says what has arrived there.
        journal_dir: where the journal is made.
        commit_timeout: seconds that a redirect waits at most for the disk, or for Redis.
        durability: what an answer waits for.
    """

    def __init__(
        self,
        client: CounterClient,
        database: Database,
        journal_dir: Path,
        commit_timeout: float,
        *,
        durability: Durability = Durability.DISK,
        ship_interval: float = INTERVAL,
    ) -> None:
        self.writer = uuid4().hex
        self.disk = Presence("the journal's disk", "clicks go to Redis at once", logger)
        self._commit_timeout = commit_timeout
        self._durability = durability
        self._waiting = Unacknowledged()
        self._journal = Journal(
            journal_dir, self.writer, self._waiting.ends, self._waiting.replace_stored
        )
        self._shipping = Shipping(
            Shipper(self.writer, self._waiting, client, database, self._journal.read),
            self._waiting,
            client,
            interval=ship_interval,
            may_ship=lambda: not self._journal.making_anew,
            on_progress=self._release_if_stored,
        )
        self.redis = self._shipping.redis
        # The hour that clicks belong to, and the names of its counters, which are made but once.
        self._hour = hour_of(time.time())
        self._names: dict[Audience, dict[int, CounterName]] = {each: {} for each in Audience}
        self._open = OpenGroup()
        # The group under way, the number of its last record, and who looks that it is not late.
        self._under_way: OpenGroup | None = None
        self._number = 0
        self._patience: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._disk_pause = _FIRST_BACKOFF
        self._gathering = False
        self._storable = True
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._clock: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Makes the journal, and begins to ship."""
        try:
            await self._journal.prepare(_DISK_START_SECONDS)
        except JournalError as error:
            self.disk.lost(error)
        else:
            self.disk.found()
        self._clock = start_vital(self._keep_time())
        self._shipping.start()

    @property
    def journalled_clicks(self) -> int:
        """How many clicks are on disk and not known to be in SQL."""
        return self._waiting.journalled_clicks

    @property
    def oldest_click_seconds(self) -> float | None:
        """How long the oldest click waits for SQL; None when none does."""
        return self._waiting.oldest_seconds

    @property
    def unjournalled_clicks(self) -> int:
        """How many clicks are not on disk: the end of this process loses them, if Redis forgets."""
        return self._waiting.unjournalled_clicks + self._open.clicks

    @property
    def unconfirmed_clicks(self) -> int:
        """How many clicks are neither on disk nor in Redis."""
        return self._waiting.unconfirmed_clicks + self._open.clicks

    @property
    def survives(self) -> tuple[bool, bool]:
        """Whether an answered click is on disk, and whether it is in Redis."""
        wanted = self._wanted()
        return "disk" in wanted, "redis" in wanted

    def record(self, campaign_id: int, audience: Audience, answer: Answer) -> None:
        """Counts a click of now.

        Args:
            answer: called once, when the redirect may be answered; at once when neither the disk
                nor Redis can store the click.
        """
        group = self._open
        if not group.clicks:
            self._begin(group)
        names = self._names[audience]
        name = names.get(campaign_id)
        if name is None:
            name = names[campaign_id] = counter_name(campaign_id, self._hour, audience)
        counts = group.counts
        counts[name] = counts.get(name, 0) + 1
        group.clicks += 1
        if self._storable:
            group.answers.append(answer)
        else:
            answer()

    async def count(self, campaign_id: int, audience: Audience) -> None:
        """Counts a click of now, and returns when the redirect may be answered.

        A visitor who leaves meanwhile is counted all the same.
        """
        stored = self._loop.create_future()
        self.record(campaign_id, audience, partial(_resolve, stored))
        await stored

    async def close(self, at_most: float) -> None:
        """Stops when all clicks are stored and shipped, or after `at_most` seconds, and some."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._idle.wait()
                await self._shipping.ship_all()
        if self._clock is not None:
            await cancel(self._clock)
        for timer in (self._patience, self._retry):
            if timer is not None:
                timer.cancel()
        await self._shipping.close()
        await self._journal.close(_DISK_CLOSE_SECONDS)
        if self.unconfirmed_clicks:
            logger.error("%d clicks were never stored", self.unconfirmed_clicks)

    def _begin(self, group: OpenGroup) -> None:
        """Does once for a group what need not be done for each of its clicks."""
        group.since = time.monotonic()
        self._idle.clear()
        self._note_hour()
        if self._under_way is None and not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gather, _GATHERING_ROUNDS, 0)

    def _note_hour(self) -> None:
        """Lets clicks from now on belong to the hour that it is."""
        hour = hour_of(time.time())
        if hour != self._hour or sum(map(len, self._names.values())) > _MAX_NAMES:
            self._hour = hour
            for names in self._names.values():
                names.clear()

    async def _keep_time(self) -> None:
        while True:
            # A group that can't be stored for hours has clicks of several.
            await asyncio.sleep(min(1.0, SECONDS_PER_HOUR - time.time() % SECONDS_PER_HOUR))
            self._note_hour()

    def _gather(self, rounds: int, before: int) -> None:
        """Lets the event loop read what the network holds already, until that brings no click.

        Those who were just answered, and click again, join this group instead of the next: a group
        costs a write to the disk, and two changes of thread.
        """
        clicks = self._open.clicks
        if rounds and clicks != before and len(self._open.counts) < MAX_COUNTERS:
            self._loop.call_soon(self._gather, rounds - 1, clicks)
            return
        self._gathering = False
        self._commit()

    def _commit(self) -> None:
        """Gives the open group its number, and stores it."""
        group = self._under_way = self._open
        self._open = OpenGroup()
        self._number += 1
        record = Record(self._number, self._number, group.counts)
        self._waiting.add(Entry(record, group.since))
        self._patience = self._loop.call_later(self._commit_timeout, self._lose_patience)
        self._write()
        wanted = self._wanted()
        if "redis" in wanted:
            self._shipping.hurry()
        elif not wanted:
            self._release_if_stored()

    def _wanted(self) -> list[str]:
        """What an answer waits for now: what it should wait for and is there, or else the other."""
        there = [
            name
            for name, presence in (("disk", self.disk), ("redis", self.redis))
            if not presence.away
        ]
        chosen = ["disk", "redis"] if self._durability is Durability.BOTH else [self._durability]
        return [name for name in chosen if name in there] or there

    def _reached(self, name: str) -> int:
        """The number up to which all is there, or in SQL."""
        waiting = self._waiting
        number = waiting.stored if name == "disk" else (waiting.position or 0)
        return max(number, waiting.acknowledged)

    def _release_if_stored(self) -> None:
        """Answers who waits for the group under way, when it is stored; then the next goes."""
        group = self._under_way
        if group is None:
            return
        wanted = self._wanted()
        if any(self._reached(name) < self._number for name in wanted):
            return
        self._under_way = None
        if self._patience is not None:
            self._patience.cancel()
        self._note_storable(possible=bool(wanted))
        group.release()
        if not self._gathering:
            if self._open.clicks:
                self._gathering = True
                self._gather(_GATHERING_ROUNDS, 0)
            else:
                self._idle.set()

    def _note_storable(self, *, possible: bool) -> None:
        if possible and not self._storable:
            logger.warning("clicks are stored again before they are answered")
        elif self._storable and not possible:
            logger.error("%d clicks are neither on disk nor in Redis", self.unconfirmed_clicks)
            self._open.release()
        self._storable = possible

    def _lose_patience(self) -> None:
        """What the group under way still waits for is away."""
        late = TimeoutError(f"nothing was confirmed for {self._commit_timeout:g} s")
        for name in self._wanted():
            if self._reached(name) < self._number:
                (self.disk if name == "disk" else self.redis).lost(late)
        self._patience = self._loop.call_later(self._commit_timeout, self._lose_patience)
        self._shipping.hurry()
        self._release_if_stored()

    def _write(self) -> None:
        """Writes what is not on disk yet."""
        if self._journal.writing or self._retry is not None:
            return
        entries = self._waiting.to_store()
        if entries:
            records = [entry.record for entry in entries]
            self._journal.write(
                records, self._waiting.acknowledged, partial(self._written, entries)
            )

    def _written(
        self, entries: list[Entry], places: list[Place], error: JournalError | None
    ) -> None:
        if error is not None:
            self.disk.lost(error)
            self._retry = self._loop.call_later(jittered(self._disk_pause), self._write_again)
            self._disk_pause = min(self._disk_pause * 2, _LAST_BACKOFF)
            if self._under_way is not None:
                self._shipping.hurry()
        else:
            self.disk.found()
            self._disk_pause = _FIRST_BACKOFF
            self._waiting.store(entries, places)
            if self._number > entries[-1].last:
                self._write()
        self._release_if_stored()

    def _write_again(self) -> None:
        self._retry = None
        self._write()


def _resolve(stored: asyncio.Future[None]) -> None:
    if not stored.done():
        stored.set_result(None)
