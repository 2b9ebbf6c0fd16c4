"""Clicks: batches of them, put into the counts exactly once, and the proof that counts agree."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from sqlalchemy import and_, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import marks
from tracking.database import upsert
from tracking.tables import campaigns, click_hours, flush_batches, writers

logger = logging.getLogger(__name__)

Hour = NewType("Hour", int)
"""Whole hours since the epoch, UTC."""

# The row of the ledger that stands for all that are not kept any more.
_OLDER = "older"
KEPT_SECONDS = 90 * 24 * 3600.0
"""For how long the ledger knows a batch: a copy of Redis's data must not be older when it is put
back. At one flush a second that is under a gigabyte."""

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
        writers: the number up to which the clicks of each redirector process are in the counts
            once this batch is.
    """

    id: str
    counts: tuple[ClickCount, ...]
    writers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """A campaign whose `click_count` is not the sum of its hourly rows."""

    code: str
    click_count: int
    hourly_sum: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger against the hourly rows.

    Attributes:
        batches: batches that the ledger knows.
        clicks: clicks of the ledger, of all audiences.
        hourly_sum: clicks of the hourly rows.
    """

    batches: int
    clicks: int
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
    living = await _living(connection, {count.campaign_id for count in batch.counts})
    counts = [count for count in batch.counts if count.campaign_id in living]
    clicks = sum(count.clicks for count in counts)
    if not await _enter(connection, batch.id, clicks):
        return False
    await _add(connection, counts)
    await _note_writers(connection, batch.writers)
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


async def note_removal(connection: AsyncConnection, campaign_id: int) -> None:
    """Takes a campaign's clicks out of the ledger. Must come before its deletion, with it."""
    query = select(func.sum(click_hours.c.clicks)).where(click_hours.c.campaign_id == campaign_id)
    clicks = (await connection.execute(query)).scalar_one()
    if clicks:
        await _enter(connection, f"campaign {campaign_id} was deleted", -clicks)


async def forget_batches(connection: AsyncConnection, before: float) -> None:
    """Replaces the ledger's rows before this time (seconds since the epoch) by one.

    Writers of which nothing was flushed since then are forgotten.
    """
    await connection.execute(delete(writers).where(writers.c.flushed_at < before))
    statement = delete(flush_batches).where(
        flush_batches.c.applied_at < before, flush_batches.c.id != _OLDER
    )
    removed = await connection.execute(statement.returning(flush_batches.c.clicks))
    clicks = sum(removed.scalars())
    if not clicks:
        return
    row = upsert(flush_batches).values(id=_OLDER, applied_at=0.0, clicks=clicks)
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[flush_batches.c.id],
            set_={"clicks": flush_batches.c.clicks + row.excluded.clicks},
        )
    )


async def flushed_number(connection: AsyncConnection, writer: str) -> int:
    """The number up to which a writer's clicks are in the counts; 0 when none are known to be."""
    query = select(writers.c.number).where(writers.c.id == writer)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def is_applied(connection: AsyncConnection, batch_id: str) -> bool:
    """Whether the ledger knows the batch."""
    query = select(flush_batches.c.id).where(flush_batches.c.id == batch_id)
    return (await connection.execute(query)).first() is not None


async def ledger(connection: AsyncConnection) -> Ledger:
    """The ledger's sums, and those of the hourly rows: they must agree."""
    entries = select(func.count(), func.coalesce(func.sum(flush_batches.c.clicks), 0))
    batches, clicks = (await connection.execute(entries.select_from(flush_batches))).one()
    hours = select(func.coalesce(func.sum(click_hours.c.clicks), 0))
    return Ledger(batches, clicks, (await connection.execute(hours)).scalar_one())


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


async def _enter(connection: AsyncConnection, id: str, clicks: int) -> bool:
    """Adds a row to the ledger; False when it has one with this id."""
    entry = upsert(flush_batches).values(id=id, applied_at=time.time(), clicks=clicks)
    return (await connection.execute(entry.on_conflict_do_nothing())).rowcount > 0


async def _note_writers(connection: AsyncConnection, numbers: Mapping[str, int]) -> None:
    if not numbers:
        return
    now = time.time()
    row = upsert(writers)
    statement = row.on_conflict_do_update(
        index_elements=[writers.c.id],
        # An older copy of Redis's data knows lower numbers.
        set_={
            "number": func.max(writers.c.number, row.excluded.number),
            "flushed_at": now,
        },
    )
    rows = [{"id": id, "number": number, "flushed_at": now} for id, number in numbers.items()]
    await connection.execute(statement, rows)


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
