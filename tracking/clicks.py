"""Clicks: batches of them, put into the counts exactly once, and the proof that counts agree."""

import logging
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import marks
from tracking.database import upsert
from tracking.tables import campaigns, click_hours, flush_batches

logger = logging.getLogger(__name__)

Hour = NewType("Hour", int)
"""Whole hours since the epoch, UTC."""

# SQLite allows 32,766 variables in a statement.
_IDS_PER_QUERY = 10_000


class Audience(StrEnum):
    """Who clicked. Only people's clicks are in a campaign's `click_count`."""

    HUMAN = "human"
    BOT = "bot"
    PREFETCH = "prefetch"


@dataclass(frozen=True, slots=True)
class ClickCount:
    """Clicks of one audience on one campaign's link within one hour."""

    campaign_id: int
    hour: Hour
    audience: Audience
    clicks: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Clicks that go into SQL together, once.

    Attributes:
        id: unique for ever; a batch with an id that was applied before is not applied again.
        counts: at most one for each campaign, hour and audience.
    """

    id: str
    counts: tuple[ClickCount, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A campaign whose `click_count` is not the sum of its hourly rows."""

    code: str
    click_count: int
    hourly_sum: int


def hour_of(timestamp: float) -> Hour:
    """The hour that a time (seconds since the epoch) falls into."""
    return Hour(int(timestamp // 3600))


async def apply(connection: AsyncConnection, batch: Batch) -> bool:
    """Adds a batch to the hourly rows and to `click_count`, unless it was applied before.

    Must run in a write transaction of its own: the ledger row and the counts are committed
    together or not at all. Clicks of campaigns that are gone are dropped, and logged.

    Returns:
        Whether the batch was new.
    """
    ledger = (
        upsert(flush_batches).values(id=batch.id, applied_at=time.time()).on_conflict_do_nothing()
    )
    if (await connection.execute(ledger)).rowcount == 0:
        return False
    living = await _living(connection, {count.campaign_id for count in batch.counts})
    counts = [count for count in batch.counts if count.campaign_id in living]
    await _add(connection, counts)
    await marks.note_counts(
        connection,
        {living[count.campaign_id] for count in counts if count.audience is Audience.HUMAN},
    )
    dropped = [count for count in batch.counts if count.campaign_id not in living]
    if dropped:
        logger.warning(
            "dropped %d clicks of %d deleted campaigns",
            sum(count.clicks for count in dropped),
            len({count.campaign_id for count in dropped}),
        )
    return True


async def audit(connection: AsyncConnection) -> list[Difference]:
    """The campaigns whose `click_count` differs from the sum of their hourly rows."""
    hourly_sum = func.coalesce(func.sum(click_hours.c.clicks), 0)
    query = (
        select(campaigns.c.code, campaigns.c.click_count, hourly_sum.label("hourly_sum"))
        .outerjoin_from(
            campaigns,
            click_hours,
            and_(
                click_hours.c.campaign_id == campaigns.c.id,
                click_hours.c.audience == Audience.HUMAN,
            ),
        )
        .group_by(campaigns.c.id)
        .having(campaigns.c.click_count != hourly_sum)
        .order_by(campaigns.c.id)
    )
    return [Difference(**row) for row in (await connection.execute(query)).mappings()]


async def _living(connection: AsyncConnection, ids: Collection[int]) -> dict[int, int]:
    """Those of the campaigns that still exist, each with its event."""
    wanted = sorted(ids)
    living: dict[int, int] = {}
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        query = select(campaigns.c.id, campaigns.c.event_id).where(
            campaigns.c.id.in_(wanted[start : start + _IDS_PER_QUERY])
        )
        living.update({row.id: row.event_id for row in await connection.execute(query)})
    return living


async def _add(connection: AsyncConnection, counts: Collection[ClickCount]) -> None:
    if not counts:
        return
    insertion = upsert(click_hours)
    statement = insertion.on_conflict_do_update(
        index_elements=[click_hours.c.campaign_id, click_hours.c.hour, click_hours.c.audience],
        set_={"clicks": click_hours.c.clicks + insertion.excluded.clicks},
    )
    await connection.execute(
        statement,
        [
            {
                "campaign_id": count.campaign_id,
                "hour": count.hour,
                "audience": count.audience,
                "clicks": count.clicks,
            }
            for count in counts
        ],
    )
    people: Counter[int] = Counter()
    for count in counts:
        if count.audience is Audience.HUMAN:
            people[count.campaign_id] += count.clicks
    if people:
        await connection.execute(
            update(campaigns)
            .where(campaigns.c.id == bindparam("campaign"))
            .values(click_count=campaigns.c.click_count + bindparam("clicks")),
            [{"campaign": id, "clicks": clicks} for id, clicks in people.items()],
        )
