"""Follows events for all screens that show them: one query a second for each event, however many
screens there are, and none for an event that nobody looks at."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tracking.access import sessions, shares
from tracking.background import cancel, finish, start_vital
from tracking.database import Database, Transaction
from tracking.errors import DatabaseUnavailableError
from tracking.organizers import Event
from tracking.statistics import pulse, reading
from tracking.statistics.pulse import Pulse
from tracking.statistics.reading import Scope

logger = logging.getLogger(__name__)

_SECONDS = 1.0
# A look that a hanging disk holds up is waited for so long at the end.
_CLOSE_SECONDS = 2.0
# Who may look is asked again after so many looks.
_CHECKED_EVERY = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """What a screen is told: everything that it shows, of all time.

    Attributes:
        campaigns: clicks and orders by the ids that it shows.
        until: up to when clicks are in these, in seconds since the epoch; None = never.
    """

    clicks: int
    orders: int
    not_counted: int
    campaigns: dict[int, tuple[int, int]]
    until: float | None


@dataclass(eq=False, slots=True)
class Watcher:
    """An open screen.

    Attributes:
        campaigns: whose rows it shows.
        only: the one campaign that it is about; None = the event.
        session, share: by which it may look.
    """

    campaigns: frozenset[int] = frozenset()
    only: int | None = None
    session: int | None = None
    share: int | None = None
    _news: asyncio.Queue[Counts | None] = field(default_factory=lambda: asyncio.Queue(1))

    def tell(self, counts: Counts | None) -> None:
        """Hands it the newest counts, in place of what it has not taken; None = it is over."""
        with suppress(asyncio.QueueEmpty):
            self._news.get_nowait()
        self._news.put_nowait(counts)

    async def next(self) -> Counts | None:
        """Waits for newer counts; None = it may not look any more."""
        return await self._news.get()


class _Follower:
    """Follows one event while somebody watches."""

    def __init__(self, database: Database, event: Event) -> None:
        self.watchers: set[Watcher] = set()
        self._database = database
        self._event = event
        self._last: Pulse | None = None
        self._new: set[Watcher] = set()
        self._looks = 0
        self._stopping = asyncio.Event()
        self.task = start_vital(self._follow())

    def add(self, watcher: Watcher) -> None:
        """It is told at the next look how things are, and from then on what changes."""
        self.watchers.add(watcher)
        self._new.add(watcher)

    def remove(self, watcher: Watcher) -> None:
        """It went away."""
        self.watchers.discard(watcher)
        self._new.discard(watcher)

    def stop(self) -> None:
        """Has it end when it has looked: a query that is broken off costs its connection."""
        self._stopping.set()

    async def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._look()
            except DatabaseUnavailableError as error:
                logger.debug("event %d: %s", self._event.id, error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await self._stopping.wait()

    async def _look(self) -> None:
        async with self._database.read(self._database.patience) as connection:
            if self._looks % _CHECKED_EVERY == 0:
                await self._dismiss(connection)
            self._looks += 1
            now = await pulse.read(connection, self._event.id)
            wanted = set(self._new) if now == self._last else set(self.watchers)
            told = await self._counts(connection, now, wanted) if wanted else {}
        # What was read is told whole, or, when reading failed, again the next time.
        self._last = now
        for watcher, counts in told.items():
            self._new.discard(watcher)
            watcher.tell(counts)

    async def _counts(
        self, connection: Transaction, now: Pulse, wanted: set[Watcher]
    ) -> dict[Watcher, Counts]:
        ids = frozenset().union(*(each.campaigns for each in wanted))
        rows = await pulse.of_campaigns(connection, self._event.id, ids) if ids else {}
        alone = {
            id: await reading.totals(connection, Scope(self._event.id, only=(id,)), None)
            for id in {each.only for each in wanted}
            if id is not None
        }
        told = {}
        for watcher in wanted:
            shown = {id: rows[id] for id in watcher.campaigns if id in rows}
            counted = now if watcher.only is None else alone[watcher.only]
            told[watcher] = Counts(
                counted.clicks, counted.orders, counted.not_counted, shown, now.until
            )
        return told

    async def _dismiss(self, connection: Transaction) -> None:
        """Sends away whose session or shared address is over."""
        by_session = {each.session for each in self.watchers if each.session is not None}
        by_share = {each.share for each in self.watchers if each.share is not None}
        living_sessions = (
            await sessions.living(connection, by_session, self._event.organizer_id)
            if by_session
            else set()
        )
        living_shares = await shares.living(connection, by_share) if by_share else set()
        for watcher in list(self.watchers):
            if watcher.session not in living_sessions and watcher.share not in living_shares:
                self.remove(watcher)
                watcher.tell(None)


class Hub:
    """Who watches what, in one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: dict[int, _Follower] = {}
        # Those that nobody needs any more, until they have given back what they hold.
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def watching(self, event: Event, watcher: Watcher) -> AsyncIterator[Watcher]:
        """The watcher is told of the event in the block."""
        follower = self._followers.get(event.id)
        if follower is None:
            follower = self._followers[event.id] = _Follower(self._database, event)
        follower.add(watcher)
        try:
            yield watcher
        finally:
            follower.remove(watcher)
            if not follower.watchers and self._followers.get(event.id) is follower:
                del self._followers[event.id]
                self._ending.add(follower.task)
                follower.task.add_done_callback(self._ending.discard)
                follower.stop()

    async def close(self) -> None:
        """Ends whoever still follows; to be called before the database is closed."""
        for follower in self._followers.values():
            follower.stop()
        tasks = [*(each.task for each in self._followers.values()), *self._ending]
        await finish(*tasks, at_most=_CLOSE_SECONDS)
        await cancel(*tasks)

    @property
    def followed(self) -> int:
        """How many events somebody looks at."""
        return len(self._followers)
