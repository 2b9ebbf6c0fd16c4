"""Clicks: batches of them, put into the counts exactly once, and the proof that counts agree."""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple, NewType

from sqlalchemy import and_, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

from tracking import marks
from tracking.database import insert_many, upsert
from tracking.tables import batch_counts, campaigns, click_hours, flush_batches, writers

logger = logging.getLogger(__name__)

Hour = NewType("Hour", int)
"""Whole hours since the epoch, UTC."""
SECONDS_PER_HOUR = 3600

# The row of the ledger that stands for all that are not kept any more.
_OLDER = "older"
KEPT_SECONDS = 90 * 24 * 3600.0
"""For how long the ledger knows a batch: a copy of Redis's data must not be older when it is put
back. At one flush a second that is under a gigabyte."""


class Audience(StrEnum):
    """Who clicked. Only people's clicks are in a campaign's `click_count`.

    Attributes:
        HUMAN: a person, or a tool that was told to.
        BOT: a crawler, or what makes a link's preview.
        PREFETCH: a browser's speculative request; the person has not clicked yet.
        EMBEDDED: a page that shows the link as a part of itself.
    """

    HUMAN = "human"
    BOT = "bot"
    PREFETCH = "prefetch"
    EMBEDDED = "embedded"


class ClickCount(NamedTuple):
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
    return Hour(int(timestamp // SECONDS_PER_HOUR))


async def apply(connection: AsyncConnection, batch: Batch) -> bool:
    """Adds a batch to the hourly rows and to `click_count`, unless it was applied before.

    Must run in a write transaction of its own: the ledger row and the counts are committed
    together or not at all. Clicks of campaigns that are gone are dropped, and logged.

    Returns:
        Whether the batch was new.
    """
    if await is_applied(connection, batch.id):
        return False
    await _stage(connection, batch.counts)
    dropped, gone = await _dropped(connection)
    await _enter(connection, batch.id, sum(count.clicks for count in batch.counts) - dropped)
    await _add_staged(connection)
    await _note_writers(connection, batch.writers)
    await marks.note_counts(connection, await _staged_events(connection))
    if gone:
        logger.warning("dropped %d clicks of %d deleted campaigns", dropped, gone)
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


async def _enter(connection: AsyncConnection, id: str, clicks: int) -> None:
    """Adds a row to the ledger, which has none with this id."""
    entry = insert(flush_batches).values(id=id, applied_at=time.time(), clicks=clicks)
    await connection.execute(entry)


async def _note_writers(connection: AsyncConnection, numbers: Mapping[str, int]) -> None:
    if not numbers:
        return
    now = time.time()
    row = upsert(writers)
    statement = row.on_conflict_do_update(
        index_elements=[writers.c.id],
        # An older copy of Redis's data knows lower numbers.
        set_={
            "number": case(
                (writers.c.number > row.excluded.number, writers.c.number),
                else_=row.excluded.number,
            ),
            "flushed_at": now,
        },
    )
    rows = [{"id": id, "number": number, "flushed_at": now} for id, number in numbers.items()]
    await connection.execute(statement, rows)


async def _stage(connection: AsyncConnection, counts: Collection[ClickCount]) -> None:
    """Puts the counts where SQL can join them: row by row they would take several times longer."""
    await connection.execute(CreateTable(batch_counts, if_not_exists=True))
    await connection.execute(delete(batch_counts))
    # In the order of campaigns, so that the joins walk through the tables once.
    in_order = sorted(counts, key=attrgetter("campaign_id"))
    rows = [(id, hour, audience.value, clicks) for id, hour, audience, clicks in in_order]
    await insert_many(connection, batch_counts, rows)


async def _dropped(connection: AsyncConnection) -> tuple[int, int]:
    """Clicks that were staged for campaigns that are gone, and how many campaigns those are."""
    query = (
        select(
            func.coalesce(func.sum(batch_counts.c.clicks), 0),
            func.count(batch_counts.c.campaign_id.distinct()),
        )
        .outerjoin_from(batch_counts, campaigns, campaigns.c.id == batch_counts.c.campaign_id)
        .where(campaigns.c.id.is_(None))
    )
    clicks, gone = (await connection.execute(query)).one()
    return clicks, gone


async def _add_staged(connection: AsyncConnection) -> None:
    staged = select(
        batch_counts.c.campaign_id,
        batch_counts.c.hour,
        batch_counts.c.audience,
        batch_counts.c.clicks,
    ).where(campaigns.c.id == batch_counts.c.campaign_id)
    insertion = upsert(click_hours).from_select(
        ["campaign_id", "hour", "audience", "clicks"], staged
    )
    await connection.execute(
        insertion.on_conflict_do_update(
            index_elements=[click_hours.c.campaign_id, click_hours.c.hour, click_hours.c.audience],
            set_={"clicks": click_hours.c.clicks + insertion.excluded.clicks},
        )
    )
    people = (
        select(batch_counts.c.campaign_id, func.sum(batch_counts.c.clicks).label("clicks"))
        .where(batch_counts.c.audience == Audience.HUMAN)
        .group_by(batch_counts.c.campaign_id)
        .subquery()
    )
    await connection.execute(
        update(campaigns)
        .where(campaigns.c.id == people.c.campaign_id)
        .values(click_count=campaigns.c.click_count + people.c.clicks)
    )


async def _staged_events(connection: AsyncConnection) -> Sequence[int]:
    """The events whose `click_count`s the staged counts change."""
    query = (
        select(campaigns.c.event_id)
        .distinct()
        .join_from(batch_counts, campaigns, campaigns.c.id == batch_counts.c.campaign_id)
        .where(batch_counts.c.audience == Audience.HUMAN)
    )
    return (await connection.execute(query)).scalars().all()
