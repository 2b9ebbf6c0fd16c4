"""What the flusher last said of itself: how others learn whether clicks are moving into SQL."""

import asyncio
import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.database import Database, upsert
from tracking.errors import DatabaseUnavailableError
from tracking.tables import flusher_status

_ROW = 1
# A flusher that has missed three of its beats is silent. It beats as often as it flushes, but once
# a second at most, and every ten seconds at least.
_MISSED = 3
_SHORTEST_INTERVAL = 1.0
_LONGEST_INTERVAL = 10.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One report of the flusher, which says with it that it moves clicks, or would if any came.

    Attributes:
        seen_at: seconds since the epoch, by the flusher's clock.
        interval: seconds after which it is going to report again.
    """

    redis_reachable: bool
    seen_at: float
    interval: float


def interval_of(flush_interval: float) -> float:
    """Seconds between two reports of a flusher that flushes so often."""
    return min(max(flush_interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL)


async def beat(
    connection: AsyncConnection, *, redis_reachable: bool, interval: float = _LONGEST_INTERVAL
) -> None:
    """Replaces the flusher's last report."""
    values = {"redis_reachable": redis_reachable, "seen_at": time.time(), "interval": interval}
    await connection.execute(
        upsert(flusher_status)
        .values(id=_ROW, **values)
        .on_conflict_do_update(index_elements=[flusher_status.c.id], set_=values)
    )


async def last(connection: AsyncConnection) -> Heartbeat | None:
    """The flusher's last report, or None when there was never one."""
    table = flusher_status
    query = select(table.c.redis_reachable, table.c.seen_at, table.c.interval)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Heartbeat(**row) if row else None


class FlusherWatch:
    """Judges from the flusher's reports, as they reach one process, whether clicks reach SQL.

    A flusher that can't write to the database can't report either, so that its silence tells.
    Silence is measured by this process's own clock, from the moment a report was found changed:
    the flusher's may be a different one. A process that has just started gives it time.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._looked = False
        self._last: Heartbeat | None = None
        self._changed_at: float | None = None

    async def follow(self, database: Database) -> None:
        """Looks for a new report once a second, for ever."""
        while True:
            await self.look(database)
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self, database: Database) -> None:
        """Looks for a new report. When SQL is away there is none, which others have to say."""
        try:
            async with database.read(at_most=database.patience) as connection:
                self.see(await last(connection))
        except DatabaseUnavailableError:
            return

    def see(self, report: Heartbeat | None) -> None:
        """Takes in what was found."""
        if self._looked and report != self._last:
            self._changed_at = time.monotonic()
        self._looked, self._last = True, report

    @property
    def age(self) -> float | None:
        """Seconds since the last report; None when there was never one.

        Of one that was there before this process it is what the two clocks say, as far as they do.
        """
        if self._last is None:
            return None
        if self._changed_at is None:
            return max(0.0, time.time() - self._last.seen_at)
        return time.monotonic() - self._changed_at

    @property
    def redis(self) -> str:
        """How Redis is, as the flusher said it: `ok`, `away`; `unknown` when that is too old."""
        if self._last is None or self.age is None or self.age > self._patience:
            return "unknown"
        return "ok" if self._last.redis_reachable else "away"

    @property
    def trouble(self) -> str | None:
        """Why clicks don't reach SQL, for an operator; None as long as they do, or may."""
        began = self._began if self._changed_at is None else self._changed_at
        silence = time.monotonic() - began
        if silence > self._patience:
            if self._last is None:
                return "No flusher has ever reported: clicks wait in journals."
            return (
                f"The flusher has reported nothing for {silence:.0f} s: it does not run, or it "
                "can't write to the database. Clicks wait in journals."
            )
        if self._last is not None and not self._last.redis_reachable:
            return "The flusher can't reach Redis: clicks wait in journals."
        return None

    @property
    def _patience(self) -> float:
        """Seconds of silence after which a flusher is silent."""
        interval = _LONGEST_INTERVAL if self._last is None else self._last.interval
        # Whatever a row says: half a minute is long enough for everybody.
        return _MISSED * min(max(interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL)
