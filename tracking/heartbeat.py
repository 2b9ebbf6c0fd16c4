"""What the flusher last said of itself: how others learn whether clicks are moving into SQL."""

import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking.database import upsert
from tracking.tables import flusher_status

_ROW = 1


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One report of the flusher.

    Attributes:
        seen_at: seconds since the epoch.
    """

    redis_reachable: bool
    seen_at: float


async def beat(connection: AsyncConnection, *, redis_reachable: bool) -> None:
    """Replaces the flusher's last report."""
    values = {"redis_reachable": redis_reachable, "seen_at": time.time()}
    await connection.execute(
        upsert(flusher_status)
        .values(id=_ROW, **values)
        .on_conflict_do_update(index_elements=[flusher_status.c.id], set_=values)
    )


async def last(connection: AsyncConnection) -> Heartbeat | None:
    """The flusher's last report, or None when there was never one."""
    query = select(flusher_status.c.redis_reachable, flusher_status.c.seen_at)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Heartbeat(**row) if row else None
